"""Words are what Unicode's rules and the readers of each language take for words."""

import unicodedata

import pytest

from tf2cases import wordcloud
from tf2cases.errors import UsageError
from tf2cases.wordcloud import capitals, fonts, language, tables, words
from tf2cases.wordcloud.segmentation import Segmenter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It’s It's Itʼs It‘s It＇s It`s It´s", ["It's"] * 7),
        ("‘house’ 'house' rock‘n’roll dogs’", ["house", "house", "rock'n'roll", "dogs"]),
        ("l’été aujourd’hui", ["l'été", "aujourd'hui"]),
        ("м’ята мʼята", ["м'ята", "м'ята"]),
        ("हिन्दी में क्षत्रिय", ["हिन्दी", "में", "क्षत्रिय"]),
        ("தமிழ் மொழி বাংলা ภาษา", ["தமிழ்", "மொழி", "বাংলা", "ภาษา"]),
        ("الْكِتَابُ جَدِيدٌ، العربية", ["الْكِتَابُ", "جَدِيدٌ", "العربية"]),
        ("ﻻ ﺍﻟﻌﺮﺑﻴﺔ ﬁnd oﬃce", ["لا", "العربية", "find", "office"]),  # shaped letters of PDF files
        ('שָׁלוֹם צה"ל צה״ל צ׳ק ״שלום״', ["שָׁלוֹם", "צה״ל", "צה״ל", "צ'ק", "שלום"]),
        ("می‌خواهم کتاب‌ها", ["می‌خواهم", "کتاب‌ها"]),
        ("ශ්‍රී അവന്‍ വന്നു", ["ශ්‍රී", "അവന്‍", "വന്നു"]),
        ("col·legi paraŀlel dia·nit", ["col·legi", "paral·lel", "dia", "nit"]),
        ("well-known state‐of-the-art", ["well", "known", "state", "of", "the", "art"]),
        ("co\u00adop\u00ader\u00adate \u200eleft\u200f", ["cooperate", "left"]),
        ("ភាសា\u200bខ្មែរ", ["ភាសា", "ខ្មែរ"]),
        ("他说‘好’的", ["他说", "好", "的"]),
        ("😀👍🏽 👨‍👩‍👧 tea☕time", ["tea", "time"]),
    ],
)
def test_words_contain_the_marks_and_joiners_of_their_script(text, expected):
    # The parts are compared in NFC, which has Hebrew letters and points apart.
    assert words.find(words.normalised(text)) == [unicodedata.normalize("NFC", word) for word in expected]


@pytest.mark.parametrize(
    "text", ["Tiếng Việt được", "Zoë café Ångström", "한국어 텍스트", "हिन्दी क़लम", "ガーデン パン"]
)
def test_decomposed_text_has_the_words_of_composed_text(text, text_file):
    for form in ("NFC", "NFD"):
        with wordcloud.opened(text_file(unicodedata.normalize(form, text))) as opened:
            assert words.find("".join(opened.chunks())) == unicodedata.normalize("NFC", text).split()
            assert opened.sample() == opened.all() == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("number", ["12", "３７", "१२३", "١٢٣", "½", "²", "1️⃣", "1_000"])
def test_words_without_letters_are_numbers(number):
    assert words.find(number) == [number]
    assert words.is_number(number)
    assert not words.is_number(f"x{number}")


def test_contractions_with_any_apostrophe_are_stop_words(weigh):
    assert weigh("It’s the garden’s tree, don’t, can‘t, I’ve, Itʼs").weights == {"garden": 1, "tree": 1}


def test_marks_do_not_count_as_characters(weigh):
    assert words.length("हिन्दी") == 3
    assert set(weigh("हिन्दी में नमस्ते", min_word_length=3, collocations=False).weights) == {"हिन्दी", "नमस्ते"}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"ışık": 5, "IŞIK": 1, "Işık": 2}, {"IŞIK": "ışık", "Işık": "ışık"}),
        ({"İstanbul": 7, "istanbul": 1}, {"istanbul": "İstanbul"}),
        ({"It": 9, "it": 1, "ışık": 1}, {}),
        ({"Straße": 4, "STRASSE": 1}, {"STRASSE": "Straße"}),
        ({"Masse": 3, "Maße": 2}, {}),
        ({"λόγος": 3, "ΛΟΓΟΣ": 1}, {"ΛΟΓΟΣ": "λόγος"}),
        ({"Αθήνα": 1, "ΑΘΗΝΑ": 2}, {"Αθήνα": "ΑΘΗΝΑ"}),
    ],
)
def test_capitals_that_hide_a_letter_are_the_same_word(times, expected):
    assert capitals.spellings(times) == expected


def test_capitals_of_turkish_and_german_are_counted_together(weigh):
    assert weigh("Straße STRASSE Straße ışık IŞIK Işık ışık", collocations=False).weights == {"ışık": 4, "Straße": 3}


UNSPACED = {
    "Thai": "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอนหรือวรรณยุกต์เช่นเดียวกับภาษาจีน และออกเสียงแยกคำต่อคำ",
    "Japanese": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "Lao": "ພາສາລາວເປັນພາສາທາງການຂອງສາທາລະນະລັດປະຊາທິປະໄຕປະຊາຊົນລາວ",
    "Khmer": "ភាសាខ្មែរជាភាសាកំណើតរបស់ជនជាតិខ្មែរនិងជាភាសាផ្លូវការរបស់ប្រទេសកម្ពុជា",
    "Burmese": "မြန်မာဘာသာစကားသည်မြန်မာနိုင်ငံ၏ရုံးသုံးဘာသာစကားဖြစ်သည်",
}


@pytest.mark.parametrize("spoken", UNSPACED)
def test_languages_without_spaces_are_refused_unless_segmented(spoken, weigh):
    with pytest.raises(UsageError, match=rf"which is {spoken} without spaces between the words: expected .*（该语言"):
        weigh(UNSPACED[spoken])
    assert weigh(UNSPACED[spoken], language="en").weights
    text = words.normalised(UNSPACED[spoken])
    segmented = "\u200b".join(text[start : start + 4] for start in range(0, len(text), 4))
    assert words.unspaced(segmented) is None


def test_japanese_with_spaces_is_not_chinese():
    assert language.detect("吾輩 は 猫 で ある 。 名前 は まだ 無い 。") == "en"
    assert language.detect("他唱了一首叫做さくら的歌，大家都很喜欢这首古老的歌曲，唱了很多遍") == "zh"


def test_chinese_texts_keep_words_of_other_scripts_whole(weigh):
    text = "他在café喝绿茶，Zoë说It’s好茶。Тарковский拍电影。"
    cut = next(Segmenter().cut([words.normalised(text)]))
    assert {"café", "Zoë", "It's", "Тарковский", "绿茶"} <= set(cut)
    assert "".join(cut) == words.normalised(text)
    pairs = [(pair.word, pair.flag) for pair in Segmenter().cut_with_tags(["他在café喝茶"])]
    assert ("café", "eng") in pairs
    assert {"café", "Zoë", "Тарковский", "绿茶"} <= set(weigh(text).weights)
    assert {"café", "Zoë"} <= set(weigh(text, weights="tfidf").weights)


def test_joiners_need_no_glyph_and_come_back_from_tables(tmp_path):
    assert fonts.find("garden\u200c\u200d") == fonts.find("garden")
    path = str(tmp_path / "words.csv")
    tables.write_table(path, {"می‌خواهم": 2, "ශ්‍රී": 1})
    assert tables.read_table(path) == {"می‌خواهم": 2, "ශ්‍රී": 1}
