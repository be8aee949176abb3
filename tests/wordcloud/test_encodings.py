"""Encodings are recognised from what people write, and refused where another reading is as likely."""

import pytest

from tf2cases import wordcloud
from tf2cases.errors import UsageError
from tf2cases.wordcloud import reading, tables, words

TEXTS = {
    "korean": "안녕하세요. 한국어로 쓴 글입니다. 도서관 뒤에는 정원이 있습니다. 봄이 오면 꽃이 핍니다. ",
    "japanese": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。庭の後ろに山がある。",
    "simplified": "小城北边有一座茶园，茶园后面是青山。春天到了，春雨落在茶树上。",
    "traditional": "這裡的茶園後面是青山，我們來到這裡的時候，他們還沒有開始採茶。",
    "russian": "Сад за библиотекой был полон цветов. Каждое утро моя соседка поливала деревья. ",
    "ukrainian": "Сад за бібліотекою був сповнений квітів. Щоранку садівник поливав дерева. ",
    "greek": "Ο κήπος πίσω από τη βιβλιοθήκη ήταν γεμάτος λουλούδια. Κάθε πρωί πότιζε τα δέντρα. ",
    "hebrew": "הגן מאחורי הספרייה היה מלא בפרחים. בכל בוקר השקה הגנן את העצים. ",
    "arabic": "كانت الحديقة خلف المكتبة مليئة بالزهور. كل صباح كان البستاني يسقي الأشجار. ",
    "german": "Müller aß fünf Äpfel für Zoë. Der Garten hinter der Bücherei ist schön, die Straße ruhig. ",
    "french": "L'été, le jardin derrière la bibliothèque était plein de fleurs. Le garçon a mangé une pêche. ",
    "polish": "Ogród za biblioteką był pełen kwiatów. Każdego ranka ogrodnik podlewał drzewa i zamiatał ścieżki. ",
    "turkish": "Kütüphanenin arkasındaki bahçe çiçeklerle doluydu. Bahçıvan her sabah ağaçları sulardı. ",
    "vietnamese": "Khu vườn phía sau thư viện đầy hoa. ",
    "quotes": "It’s “the garden” – behind the library… ",
    "english": "The garden behind the library was full of flowers. ",
}
RECOGNISED = [
    ("korean", "euc_kr", "EUC-KR"),
    ("korean", "cp949", "EUC-KR"),
    ("japanese", "shift_jis", "Shift_JIS"),
    ("japanese", "euc_jp", "EUC-JP"),
    ("japanese", "iso2022_jp", "ISO-2022-JP"),
    ("simplified", "gbk", "GB18030"),
    ("simplified", "gb18030", "GB18030"),
    ("simplified", "hz", "HZ"),
    ("traditional", "big5", "Big5"),
    ("traditional", "gb18030", "GB18030"),
    ("russian", "cp1251", "Windows-1251"),
    ("russian", "koi8_r", "KOI8-R"),
    ("russian", "iso8859_5", "ISO-8859-5"),
    ("russian", "cp866", "CP866"),
    ("ukrainian", "cp1251", "Windows-1251"),
    ("ukrainian", "koi8_u", "KOI8-U"),
    ("greek", "cp1253", "Windows-1253"),
    ("hebrew", "cp1255", "Windows-1255"),
    ("arabic", "cp1256", "Windows-1256"),
    ("arabic", "iso8859_6", "ISO-8859-6"),
    ("quotes", "cp1252", "Windows-1252"),
    ("english", "utf-16-le", "UTF-16"),
    ("german", "utf-16-be", "UTF-16"),
    ("german", "utf-32-le", "UTF-32"),
    ("simplified", "utf-16", "UTF-16"),
    ("korean", "utf-32", "UTF-32"),
]
NOT_CERTAIN = [
    *(("german", codec) for codec in ("latin-1", "cp1252", "cp850", "mac_roman")),
    ("french", "cp1252"),
    *(("polish", codec) for codec in ("iso8859_2", "cp1250")),
    ("turkish", "cp1254"),
    ("vietnamese", "cp1258"),
    ("korean", "johab"),
]


@pytest.mark.parametrize("times", [1, 30])
@pytest.mark.parametrize(("text", "codec", "name"), RECOGNISED, ids=lambda value: value)
def test_a_text_in_another_encoding_is_recognised(text, codec, name, times, text_file):
    content = TEXTS[text] * times
    with reading.opened(text_file(content.encode(codec))) as opened:
        assert (opened.encoding, opened.all()) == (name, words.normalised(content))


@pytest.mark.parametrize("times", [1, 30])
@pytest.mark.parametrize(("text", "codec"), NOT_CERTAIN, ids=lambda value: value)
def test_an_encoding_that_is_not_certain_is_refused(text, codec, times, text_file):
    path = text_file((TEXTS[text] * times).encode(codec, "ignore"))
    with (
        pytest.raises(UsageError, match=r"no other encoding is certain: save it as UTF-8, or convert it, .*（从字节"),
        reading.opened(path),
    ):
        pass


def test_a_part_in_ascii_does_not_hide_the_encoding(text_file):
    content = TEXTS["english"] * 2000 + TEXTS["korean"] * 3 + TEXTS["english"] * 2000
    with reading.opened(text_file(content.encode("euc_kr"))) as opened:
        assert (opened.encoding, opened.all()) == ("EUC-KR", content)


def test_lists_of_nouns_are_recognised_by_the_dictionary(text_file):
    assert tables.read_table(text_file("茶馆,7\r\n桂花,3\r\n".encode("gb18030"))) == {"茶馆": 7, "桂花": 3}
    assert tables.read_table(text_file("도서관,7\n사과나무,3\n".encode("euc_kr"))) == {"도서관": 7, "사과나무": 3}


def test_korean_words_are_weighed_from_any_encoding(text_file):
    for codec in ("utf-8", "euc_kr", "utf-16"):
        with wordcloud.opened(text_file((TEXTS["korean"] * 2).encode(codec))) as opened:
            weighed = wordcloud.weigh(opened, wordcloud.make_options(collocations=False))
        assert (weighed.language, weighed.weights["정원이"]) == ("en", 2)


@pytest.mark.parametrize("content", [b"MZ\x90\0\x03\0\0\0\x04" * 50, bytes(range(256)) * 9, b"\0" * 500])
def test_binary_files_are_not_taken_for_utf_16(content, text_file):
    with pytest.raises(UsageError, match="is a binary file"), reading.opened(text_file(content)):
        pass
