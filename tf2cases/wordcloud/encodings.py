"""The encoding of a text: Unicode's own, or another one if the text then consists of usual letters of one script."""

import codecs
import itertools

import regex

_EVIDENCE = 1 << 16  # bytes that charset-normalizer compares
_ASCII = bytes(range(128))
_QUOTES = b"\x85\x91\x92\x93\x94\x96\x97\xa0"  # quotation marks, dashes and others, in all code pages of Windows
_LEAST = 6  # letters; fewer fit many encodings
_ODD = regex.compile(r"[\p{Cc}\p{Co}\p{Cn}\p{Cs}\ufffd--[\t\n\v\f\r\x1a\x1b]]", regex.V1)
_FOREIGN = regex.compile(r"[\p{L}\p{M}\p{S}\p{No}--\p{ASCII}]", regex.V1)
_SWAPPED = regex.compile(r"\p{Ll}\p{Lu}")
_OTHER = r"[\p{Greek}\p{Cyrillic}\p{Hebrew}\p{Arabic}]"
_MIXED = regex.compile(rf"\p{{Latin}}{_OTHER}|{_OTHER}\p{{Latin}}")
_HAN = regex.compile(r"\p{Han}+")

NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with BOM",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
    "gb18030": "GB18030",
    "hz": "HZ",
    "big5hkscs": "Big5",
    "cp949": "EUC-KR",
    "iso2022_kr": "ISO-2022-KR",
    "cp932": "Shift_JIS",
    "euc_jp": "EUC-JP",
    "iso2022_jp": "ISO-2022-JP",
    "cp1251": "Windows-1251",
    "koi8_r": "KOI8-R",
    "koi8_u": "KOI8-U",
    "cp866": "CP866",
    "mac_cyrillic": "Mac Cyrillic",
    "iso8859_5": "ISO-8859-5",
    "cp1252": "Windows-1252",
    "cp1253": "Windows-1253",
    "iso8859_7": "ISO-8859-7",
    "cp1255": "Windows-1255",
    "iso8859_8": "ISO-8859-8",
    "cp1256": "Windows-1256",
    "iso8859_6": "ISO-8859-6",
}
# A script's letters, and the share that its most frequent ones have at least; bytes misread as that script have fewer.
_SCRIPTS = {
    # A third or more of any Chinese text, simplified or traditional.
    "chinese": (
        r"\p{Han}",
        "的一是不了人我在有他这這个個们們来來到时時大地为為子中你说說生国國年着著就那和要出也得里裡后後自以会會家可下而"
        "过過天去能對对小多然于於心學学么麼之都好看起发發当當没沒成只如事把还還用第样樣道想作开開其此所者曰與与無无上",
        0.1,
    ),
    "korean": (r"\p{Hangul}", "이다는에의을를가고하지은로기사한리도서자나들인어아시으해수게면대과그니", 0.15),
    "japanese": (r"[\p{Hiragana}\p{Katakana}\p{Han}ー]", "のにたいをはしるとがてでなかっれらもすりこだまさきん", 0.2),
    "cyrillic": (r"\p{Cyrillic}", "оеаинтсрвлОЕАИНТСРВЛ", 0.5),
    "greek": (r"\p{Greek}", "αοιετνσςάόίέΑΟΙΕΤΝΣ", 0.45),
    "hebrew": (r"\p{Hebrew}", "יוהלאמרת", 0.4),
    "arabic": (r"\p{Arabic}", "اليينمور", 0.4),
}
_OF_SCRIPT = {
    "chinese": ("gb18030", "big5hkscs"),
    "korean": ("cp949",),
    "japanese": ("cp932", "euc_jp"),
    "cyrillic": ("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic"),
    "greek": ("cp1253", "iso8859_7"),
    "hebrew": ("cp1255", "iso8859_8"),
    "arabic": ("cp1256", "iso8859_6"),
}
_WITH_ESCAPES = {"iso2022_jp": ("japanese", b"\x1b$"), "iso2022_kr": ("korean", b"\x1b$)C"), "hz": ("chinese", b"~{")}


def of_bom(start: bytes) -> str | None:
    """The codec that a byte order mark names, or None."""
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else None


def with_zeros(start: bytes) -> str | None:
    """The codec of UTF-16 or UTF-32 without a byte order mark, or None if bytes with zeros are no text.

    Letters below 256 have a zero at the same place each; so a text needs them, be it as spaces.
    """
    for codec, width in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        text = _decoded(start[: len(start) // width * width], codec)
        if text and not _ODD.search(text) and _is_of_one_script(text):
            return codec
    return None


def with_escapes(start: bytes) -> str | None:
    """The codec of ASCII bytes that stand for Japanese, Korean or Chinese, or None."""
    for codec, (script, mark) in _WITH_ESCAPES.items():
        text = _decoded(start, codec) if mark in start else None
        if text and _is(script, text):
            return codec
    return None


def legacy(start: bytes) -> str | None:
    """The codec of a text that is not in Unicode, or None if none is certain.

    A codec counts only if nearly all letters beyond ASCII are of one script, and its frequent letters are frequent.
    Among several, charset-normalizer chooses.
    """
    import charset_normalizer

    evidence = _words_beyond_ascii(start)
    if not evidence.translate(None, _QUOTES + _ASCII) and regex.search(rb"[A-Za-z]", evidence):
        return "cp1252"
    possible = []
    for script, candidates in _OF_SCRIPT.items():
        for codec in candidates:
            text = _decoded(evidence, codec)
            if text and _is(script, text):
                possible.append((codec, text))
    if not possible:
        # Lists of nouns have none of the frequent characters.
        text = _decoded(evidence, "gb18030")
        return "gb18030" if text and _has_chinese_words(text) else None
    if len({text for _, text in possible}) == 1:
        return possible[0][0]
    best = charset_normalizer.from_bytes(evidence, cp_isolation=[codec for codec, _ in possible]).best()
    return next((codec for codec, text in possible if best is not None and str(best) == text), None)


def _words_beyond_ascii(start) -> bytes:
    found = [word for word in start.split() if not word.isascii()]
    return b" ".join(found)[:_EVIDENCE]


def _decoded(start, codec) -> str | None:
    """The text, which may end within a character; None if it is not valid."""
    try:
        return codecs.getincrementaldecoder(codec)().decode(start)
    except UnicodeDecodeError:
        return None


def _is_of_one_script(text) -> bool:
    if any(_is(script, text) for script in _SCRIPTS):
        return True
    plain = sum(character.isascii() or character in "–—‘’“”…«»" or "À" <= character <= "ſ" for character in text)
    return plain > 0.95 * len(text) and any(map(str.isalpha, text))


def _is(script, text) -> bool:
    """Whether nearly all letters and symbols beyond ASCII are of a script, with the usual share of frequent letters."""
    pattern, frequent, least = _SCRIPTS[script]
    letters = regex.findall(pattern, text)
    if len(letters) < _LEAST or len(letters) < 0.95 * len(_FOREIGN.findall(text)):
        return False
    if any(len(wrong.findall(text)) > 0.02 * len(letters) for wrong in (_ODD, _SWAPPED, _MIXED)):
        return False
    return sum(letter in frequent for letter in letters) >= least * len(letters)


def _has_chinese_words(text) -> bool:
    """Whether jieba's dictionary has most of the Chinese words, of two characters or more."""
    from tf2cases.wordcloud.segmentation import known_words

    runs = _HAN.findall(text)
    characters = sum(map(len, runs))
    if not characters or characters < 0.95 * len(_FOREIGN.findall(text)):
        return False
    known = itertools.chain.from_iterable(known_words(run) for run in runs)
    return sum(len(word) for word in known if len(word) >= 2) > 0.5 * characters
