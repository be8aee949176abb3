"""Chinese text is cut as jieba cuts it, with a person's words kept whole and a cache that nobody else can write."""

import logging
import os
import pathlib

import jieba
import jieba.posseg
import pytest

from tf2cases.errors import UsageError
from tf2cases.wordcloud import segmentation
from tf2cases.wordcloud.segmentation import OwnWords, Segmenter

TEXT = "小城北边有一座茶园，陈伯先打水。\n茶馆的主人姓陈，大家都叫他陈伯。"


@pytest.fixture(autouse=True)
def quiet():
    jieba.setLogLevel(logging.ERROR)


def cut(segmenter, *chunks):
    return [word for words in segmenter.cut(chunks or [TEXT]) for word in words]


@pytest.fixture
def afresh(tmp_path, monkeypatch):
    """As in a new process, with an empty cache folder; gives the folder."""
    segmentation._dictionary.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setattr("sys.platform", "linux")
    yield tmp_path / "caches" / "tf2cases"
    segmentation._dictionary.cache_clear()


def test_words_are_those_of_jieba():
    assert cut(Segmenter()) == jieba.lcut(TEXT)
    assert [(p.word, p.flag) for p in Segmenter().cut_with_tags([TEXT])] == [
        (p.word, p.flag) for p in jieba.posseg.cut(TEXT)
    ]


def test_equal_pairs_are_one_object():
    pairs = [pair for pair in Segmenter().cut_with_tags([TEXT]) if pair.word == "陈伯"]
    assert all(pair is pairs[0] for pair in pairs)


def test_words_of_ones_own_are_kept_whole_and_stay_with_their_segmenter(text_file):
    assert "陈伯先" in cut(Segmenter())
    assert {"陈伯", "先"} <= set(cut(Segmenter(OwnWords(own_words=[" 陈伯 "]))))
    path = text_file("陈伯 9000 nr\n\n打水 n\n北边有\n")
    listed = Segmenter(OwnWords(path))
    assert {"陈伯", "北边有"} <= set(cut(listed))
    assert ("陈伯", "nr") in [(pair.word, pair.flag) for pair in listed.cut_with_tags([TEXT])]
    assert "陈伯先" in cut(Segmenter())
    assert "陈伯先" in jieba.lcut(TEXT)


@pytest.mark.parametrize("line", ["陈伯 -3", "陈伯 3 nr more", "陈伯 3 4"])
def test_a_bad_dictionary_is_refused_with_its_line(line, text_file):
    with pytest.raises(UsageError, match=rf"--user_dict is '.*', but its line 2 is '{line}': expected a word, opt"):
        OwnWords(text_file(f"茶园\n{line}\n"))


def test_missing_dictionaries_and_empty_words_are_refused():
    with pytest.raises(UsageError, match=r"--user_dict is 'none\.txt', but it cannot be read"):
        OwnWords("none.txt")
    with pytest.raises(UsageError, match=r"--add_words has an empty word: expected words separated by commas\. （"):
        OwnWords(own_words=["茶", " "])


def test_the_cache_is_made_once_for_this_person_alone(afresh, monkeypatch):
    first = cut(Segmenter())
    (cache,) = afresh.iterdir()
    assert cache.name == f"jieba-{jieba.__version__}.cache"
    assert afresh.stat().st_mode & 0o777 == 0o700
    written = cache.stat().st_mtime_ns
    segmentation._dictionary.cache_clear()
    built = []
    monkeypatch.setattr(jieba.Tokenizer, "gen_pfdict", staticmethod(lambda file: built.append(file)))
    assert cut(Segmenter()) == first
    assert not built
    assert cache.stat().st_mtime_ns == written


def test_a_folder_that_others_can_write_is_not_trusted(afresh):
    afresh.mkdir(parents=True)
    afresh.chmod(0o777)
    assert cut(Segmenter()) == jieba.lcut(TEXT)
    assert not os.listdir(afresh)


def test_a_folder_that_cannot_be_made_does_no_harm(afresh, caplog):
    afresh.parent.write_text("a file in its place")
    assert cut(Segmenter()) == jieba.lcut(TEXT)
    assert not caplog.records


def test_a_damaged_cache_is_built_anew(afresh):
    afresh.mkdir(mode=0o700, parents=True)
    cache = afresh / f"jieba-{jieba.__version__}.cache"
    cache.write_bytes(b"not what marshal wrote")
    assert cut(Segmenter()) == jieba.lcut(TEXT)
    assert cache.stat().st_size > 1_000_000


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "place/tf2cases"),
        ("darwin", None, "home/Library/Caches/tf2cases"),
        ("linux", None, "home/.cache/tf2cases"),
    ],
)
def test_each_system_has_its_place(platform, variable, expected, monkeypatch):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(pathlib.Path, "home", lambda: pathlib.Path("home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if variable:
        monkeypatch.setenv(variable, "place")
    assert segmentation.cache_folder() == pathlib.Path(expected)


OWN = ["列夫·托尔斯泰", "C++", "c#", "Yahoo!", "New York", "𠮷野家", "3·15", "茶"]


def test_own_words_with_marks_and_spaces_are_kept_whole(text_file):
    text = "他读列夫·托尔斯泰的书，用C++和C#编程；Yahoo!在New\nYork，𠮷野家。3·15晚会，喝茶。"
    listed = text_file("列夫·托尔斯泰 5 nr\nC++\n")
    assert {"列夫·托尔斯泰", "C++", "编程"} <= set(cut(Segmenter(OwnWords(listed)), text))
    assert ("列夫·托尔斯泰", "nr") in [(p.word, p.flag) for p in Segmenter(OwnWords(listed)).cut_with_tags([text])]
    words = cut(Segmenter(OwnWords(own_words=OWN)), text)
    assert {"列夫·托尔斯泰", "C++", "C#", "Yahoo!", "New York", "𠮷野家", "3·15"} <= set(words)


@pytest.mark.parametrize("options", [{}, {"segment": False}, {"weights": "tfidf"}])
def test_own_words_are_in_the_cloud(options, weigh):
    text = "他读列夫·托尔斯泰的书，用C++和C#编程；Yahoo!在New York，𠮷野家。3·15晚会，茶。" * 3
    words = weigh(text, language="zh", add_words=tuple(OWN), collocations=True, **options).weights
    assert {"列夫·托尔斯泰", "C++", "C#", "Yahoo!", "New York", "𠮷野家", "3·15"} <= set(words)
    assert ("茶" in words) == ("weights" not in options)  # jieba's TF-IDF leaves single characters out
    assert "列夫·托尔斯泰" not in weigh(text, language="zh", **options).weights


def test_own_words_are_in_the_cloud_of_an_english_text(weigh):
    text = "In new york C++'s users write C++; New York, AT&T and 2024 and ABC++. New York!" * 2
    words = weigh(text, add_words=("New York", "C++", "AT&T", "2024"), collocations=True).weights
    assert {word: words[word] for word in ("New York", "C++", "AT&T", "2024")} == {
        "New York": 6,
        "C++": 4,
        "AT&T": 2,
        "2024": 2,
    }
    assert not {"York", "new york", "T"} & set(words)


def test_own_words_without_part_of_speech_count_for_textrank(weigh):
    text = "小城的托尔斯泰茶会，客人喝绿茶。列夫·托尔斯泰写小说，客人读小说。" * 3
    plain = weigh(text, weights="textrank").weights
    own = weigh(text, weights="textrank", add_words=("托尔斯泰茶会", "列夫·托尔斯泰")).weights
    assert {"托尔斯泰茶会", "列夫·托尔斯泰"} <= set(own)
    assert not {"托尔斯泰茶会", "列夫·托尔斯泰"} & set(plain)


def test_a_large_dictionary_is_fast_enough(text_file):
    """Tens of thousands of entries are looked up, not tried one by one."""
    entries = "\n".join(f"名{i}·姓{i}" for i in range(50_000))
    segmenter = Segmenter(OwnWords(text_file(entries)))
    assert "名7·姓7" in cut(segmenter, TEXT * 50 + "名7·姓7。")
