"""Words are weighed as the wordcloud package and jieba weigh them, in memory that does not grow with the text."""

import collections
import logging
import random
import tracemalloc

import jieba
import jieba.analyse
import pytest
import wordcloud as package

from tf2cases import wordcloud
from tf2cases.errors import UsageError
from tf2cases.wordcloud import reading, stopwords, weighing

jieba.setLogLevel(logging.ERROR)


@pytest.fixture(scope="module")
def english(repo):
    return (repo / "testdata" / "garden_en.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def chinese(repo):
    return (repo / "testdata" / "garden_zh.txt").read_text(encoding="utf-8")


def heaviest(weights, count=200):
    return sorted(weights.items(), key=lambda item: item[1], reverse=True)[:count]


@pytest.mark.parametrize("block", [50, reading.BLOCK])
def test_english_is_counted_as_the_package_counts_it(block, english, weigh, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", block)
    words = weigh(english, preset="english")
    assert words.language == "en"
    assert list(words.weights.items()) == heaviest(package.WordCloud().process_text(english))


def test_the_constitution_is_counted_as_the_package_counts_it(shared, weigh):
    text = (shared / "data" / "text" / "constitution.txt").read_text()
    words = weigh(text, preset="english")
    expected = package.WordCloud().process_text(text)
    assert list(words.weights.items()) == heaviest(expected)
    assert "United States" in words.weights  # its pairs of words
    assert words.different == len(expected)


def test_chinese_is_counted_as_jieba_counts_it(chinese, weigh):
    stop = stopwords.chosen(None, own=True)
    counts = collections.Counter(
        word for word in jieba.lcut(chinese) if len(word) >= 2 and word.isalpha() and word not in stop
    )
    words = weigh(chinese)
    assert words.language == "zh"
    assert list(words.weights.items()) == counts.most_common(200)


def test_the_novels_most_frequent_words_in_order_are_those_of_jieba(novel, weigh):
    stop = stopwords.chosen(None, own=True)
    counts = collections.Counter(word for word in jieba.cut(novel) if len(word) >= 2 and word not in stop)
    del counts["\r\n"]
    words = weigh(novel)
    assert list(words.weights.items()) == counts.most_common(200)
    assert list(words.weights)[:5] == ["行者", "八戒", "师父", "三藏", "大圣"]
    assert max(map(len, words.weights)) < 10  # none glued with a space
    assert not [word for word in words.weights if " " in word or len(word) < 2]


def test_without_segmentation_words_are_what_stands_between_marks(chinese, weigh):
    words = weigh(chinese, preset="chinese_raw")
    assert "茶园后面是青山" in words.weights
    assert "青山" not in words.weights


def test_a_preset_for_one_language_refuses_a_text_in_another(chinese, english, weigh):
    languages = {name: preset["language"] for name, preset in wordcloud.PRESETS.items() if "language" in preset}
    assert languages == {"english": "en", "chinese_raw": "zh", "chinese": "zh", "keywords": "zh"}
    for preset, spoken in languages.items():
        other, what = (english, "not Chinese") if spoken == "zh" else (chinese, "Chinese")
        with pytest.raises(
            UsageError,
            match=rf"^--preset is '{preset}', which is for .*, but --text is '.*', which is {what}: expected another "
            rf"preset, or --language={spoken}\. （预设 {preset} 用于.*，或加上 --language={spoken}。）$",
        ):
            weigh(other, preset=preset)
        # A language that the user gives is used, whatever the text looks like.
        assert weigh(other, preset=preset, language=spoken).language == spoken
    for preset in ("mask", "mask_colors", "custom_color"):
        assert weigh(english, preset=preset).language == "en"
        assert weigh(chinese, preset=preset).language == "zh"


def test_a_text_without_words_is_refused_for_that_and_not_for_its_language(weigh):
    with pytest.raises(UsageError, match=r"none of its 3 words is left"):
        weigh("1 2 3", preset="chinese_raw")


def test_keywords_are_jiebas_own(chinese, weigh):
    words = weigh(chinese, preset="keywords", mask="unused.png")
    expected = jieba.analyse.extract_tags(chinese, topK=200, withWeight=True)
    assert list(words.weights.items()) == expected


def test_textrank_is_jiebas_own(chinese, weigh):
    words = weigh(chinese, weights="textrank", own_stopwords=False, max_words=30)
    assert list(words.weights.items()) == jieba.analyse.textrank(chinese, topK=30, withWeight=True)


@pytest.mark.parametrize("method", ["tfidf", "textrank"])
def test_keywords_obey_stop_words_and_the_shortest_length(method, chinese, weigh, text_file):
    stop = text_file("茶园\n", "stop.txt")
    words = weigh(chinese, weights=method, stopwords=stop, min_word_length=3)
    assert "茶园" not in words.weights
    assert words.weights
    assert min(map(len, words.weights)) >= 3


def test_one_character_words_and_pairs_are_had_on_request(weigh):
    text = "茶园，青山。茶园，青山。" * 30 + "山水火。" * 3
    words = weigh(text, min_word_length=1, collocations=True)
    assert "茶园 青山" in words.weights or "青山 茶园" in words.weights
    assert " " not in "".join(weigh(text).weights)


def test_numbers_are_no_words(weigh):
    assert set(weigh("茶园 2024 茶馆 ３７ 12").weights) == {"茶园", "茶馆"}


def test_cases_and_plurals_are_one_word(weigh):
    assert weigh("Tree tree trees Tree's bush", collocations=False).weights == {"Tree": 4, "bush": 1}


SHORT = "stop words, numbers or shorter than --min_word_length=2; expected other words or --min_word_length=1"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "the of and",
            {},
            r"3 words is left: all are stop words or numbers; expected other words or --noown_stopwords\.",
        ),
        ("12 34", {"own_stopwords": False}, r"2 words is left: all are stop words or numbers; expected other words\."),
        ("the of", {"preset": "english"}, r"2 words is left: all are stop words or numbers; expected other words\."),
        (
            "我们的，他们的。",
            {},
            rf"\d+ words is left: all are {SHORT} or --noown_stopwords\. （文本的 \d+ 个词都是停用词、数字或",
        ),
        ("a b", {"min_word_length": 2, "own_stopwords": False}, rf"2 words is left: all are {SHORT}\."),
    ],
)
def test_a_text_of_stop_words_only_is_refused_with_advice_that_applies(text, options, message, weigh):
    with pytest.raises(UsageError, match=rf"--text is '.*', but none of its {message}"):
        weigh(text, **options)


@pytest.mark.parametrize("text", ["!?", "\ue455\ue485"])
def test_a_text_without_words_is_refused(text, weigh):
    with pytest.raises(UsageError, match=r"--text is '.*', but it has no words; it must be a text of words\."):
        weigh(text)


@pytest.mark.parametrize("method", ["tfidf", "textrank"])
def test_chinese_tables_are_not_used_for_english(method, weigh):
    with pytest.raises(UsageError, match=rf"--weights is '{method}', which works .*, but --text is .* is not Chinese"):
        weigh("The garden behind the library", weights=method)
    with pytest.raises(UsageError, match=r"but none of its .*words is left"):
        weigh("我们的，他们的。", weights=method)


def test_textrank_refuses_texts_beyond_its_memory(weigh, monkeypatch):
    monkeypatch.setattr(weighing, "MAX_TEXTRANK_BYTES", 100)
    with pytest.raises(UsageError, match=r"'textrank', which holds .* has 600 bytes: expected at most 100 bytes, or "):
        weigh("茶园" * 100, weights="textrank")


def test_the_rarest_make_room_and_the_frequent_stay(monkeypatch):
    monkeypatch.setattr(weighing, "MAX_DIFFERENT", 100)
    chunks = [" ".join(["often"] * 5 + ["pairs", "stand"] * 3 + [f"x{i}y{j}" for j in range(50)]) for i in range(40)]
    weights, seen = weighing.count(chunks, frozenset(), 0, True)
    assert "often often" in weights
    assert seen == 40 * 61
    assert len(weights) <= 300
    singles, _ = weighing.count(chunks, frozenset(), 0, False)
    assert singles["often"] == 200
    assert singles["pairs"] == 120


def test_memory_does_not_grow_with_the_text(text_file, monkeypatch):
    """Ten times as long a text, most of whose words appear once, takes the same memory."""
    monkeypatch.setattr(weighing, "MAX_DIFFERENT", 2_000)
    draw = random.Random(0)
    peaks = []
    for words in (15_000, 150_000):
        path = text_file(" ".join(f"w{draw.getrandbits(40):x}" for _ in range(words)) + " garden tree" * 500)
        tracemalloc.start()
        with wordcloud.opened(path) as text:
            found = wordcloud.weigh(text, wordcloud.make_options())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert "garden" in str(list(found.weights)[:3])
    assert peaks[1] < 1.2 * peaks[0]
