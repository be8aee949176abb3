"""Finding a font with every character of a cloud; missing characters would be drawn as empty boxes."""

import contextlib
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

import regex

from tf2cases.wordcloud.messages import bilingual_error
from tf2cases.wordcloud.words import has_shape

_SUFFIXES = (".ttf", ".otf", ".ttc")
# Prefixes of common Chinese fonts' file names, fonts made for screens first; in lower case, without spaces or hyphens.
_USUAL = """
    notosanscjk notosanssc sourcehansans pingfang hiraginosansgb msyh wqymicrohei wqyzenhei simhei stheiti
    droidsansfallback notoserifcjk notoserifsc sourcehanserif simsun songti stsong uming ukai arialunicode
"""
_NO_LETTERS = ("lastresort", "adobeblank", "emoji", "symbol")  # fonts with pictures, or a box for every character

_EXTRA = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]")  # scripts of the font in the extra [zh]
_OTHER_SCRIPTS = (
    *("Arabic", "Hebrew", "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Tamil", "Telugu", "Kannada", "Malayalam"),
    *("Sinhala", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Georgian", "Armenian", "Ethiopic", "Greek", "Cyrillic"),
)
# Language or script: its characters, and a font that has them.
_FONTS_OF = {
    "Korean": (r"\p{Hangul}", "Noto Sans KR (package fonts-noto-cjk in Debian)"),
    "Chinese": (r"\p{Han}", "Noto Sans CJK (package fonts-noto-cjk in Debian)"),
    **{name: (rf"\p{{{name}}}", f"Noto Sans {name} (package fonts-noto-core in Debian)") for name in _OTHER_SCRIPTS},
}


def find(characters: Iterable[str], font: str | None = None) -> str:
    """The path of a font that has all the characters.

    Only `font` is tried, if given. Otherwise, in this order: the wordcloud package's own (Latin, Greek, Cyrillic); Noto
    Sans SC from the extra `[zh]`; the system's fonts, those with names of common Chinese fonts first.

    Args:
      characters: the characters to draw; white space and joiners, which have no shape, are ignored.
      font: the path of a font file, or the name of one in the system's folders ("simhei"), or None.

    Raises:
      UsageError: `font` does not exist, is not a font or lacks characters; or no font has all of them.
    """
    wanted = {ord(character) for character in characters if not character.isspace() and has_shape(character)}
    if font is not None:
        path = _named(font)
        lacking = _lacking(path, wanted)
        if lacking is None:
            raise bilingual_error(
                f"--font is {font!r}, but it is not a readable font: expected a .ttf, .otf or .ttc file.",
                "（这不是可用的字体文件，请给出 .ttf、.otf 或 .ttc 文件。）",
            )
        if lacking:
            raise bilingual_error(
                f"--font is {font!r}, but it lacks {_shown(lacking)}: expected a font with all characters of the "
                "text; without --font, one is searched for.",
                f"（该字体缺少“{_some(lacking)}”等 {len(lacking)} 个字，请换用中文字体，或去掉 --font 自动查找。）",
            )
        return path
    best, fewest = None, wanted
    for path in _candidates():
        lacking = _lacking(path, wanted)
        if lacking == set():
            return path
        if lacking and len(lacking) < len(fewest):
            best, fewest = path, lacking
    nearest = f" ({os.path.basename(best)} lacks only {_shown(fewest)})" if best else ""
    if _EXTRA.search("".join(map(chr, fewest))) and _extra() is None:
        raise bilingual_error(
            f"no font has all characters of the text{nearest}: install one with `pip install 'tf2cases[zh]'`, or name "
            "one with --font=FILE.",
            "（没有找到包含全部文字的字体，请运行 `pip install 'tf2cases[zh]'`，或用 --font=文件 指定中文字体。）",
        )
    raise bilingual_error(
        f"no font has all characters of the text{nearest}: install {_with_characters(fewest)}, or name one with "
        "--font=FILE.",
        "（没有找到包含全部文字的字体，请安装包含这些文字的字体，或用 --font=文件 指定字体。）",
    )


def fallbacks(characters: Iterable[str], font: str) -> tuple[list[str], str]:
    """Fonts for the characters that a font lacks, found in the order of `find`; each has some that those before lack.

    Args:
      characters: the characters to draw.
      font: the path of the font that is used for all others.

    Returns:
      The paths, and one sentence of advice if some characters are in none of them, else "".
    """
    wanted = {ord(character) for character in characters if not character.isspace() and has_shape(character)}
    lacking = _lacking(font, wanted) or set()
    found = []
    for path in _candidates() if lacking else ():
        left = _lacking(path, lacking)
        if left is not None and left < lacking:
            found.append(path)
            lacking = left
        if not lacking:
            break
    if not lacking:
        return found, ""
    if _EXTRA.search("".join(map(chr, lacking))) and _extra() is None:
        return found, f"no font has {_shown(lacking)}: install one with `pip install 'tf2cases[zh]'`."
    return found, f"no font has {_shown(lacking)}: install {_with_characters(lacking)}."


def _extra() -> str | None:
    """The path of the font of the extra `[zh]`, or None without it."""
    with contextlib.suppress(ImportError):
        import pylopdf_fonts_zh_cn

        return str(pylopdf_fonts_zh_cn.sans_path())
    return None


def _with_characters(lacking) -> str:
    """What to install for the script of most of the characters that are lacking."""
    scripts = Counter(name for c in lacking for name, (pattern, _) in _FONTS_OF.items() if regex.match(pattern, chr(c)))
    for script, _ in scripts.most_common(1):
        return f"a font for {script}, such as {_FONTS_OF[script][1]}"
    return "a font that has them"


def _candidates() -> Iterator[str]:
    import wordcloud

    yield os.path.join(os.path.dirname(wordcloud.__file__), "DroidSansMono.ttf")
    if extra := _extra():
        yield extra
    installed = [path for path in _system_fonts() if not any(word in _plain(path) for word in _NO_LETTERS)]
    yield from sorted(installed, key=_rank)


def _named(font) -> str:
    if os.path.isfile(font):
        return font
    wanted = {_plain(font), _plain(os.path.splitext(font)[0])}
    for path in _system_fonts():
        if _plain(path) in wanted:
            return path
    raise bilingual_error(
        f"--font is {font!r}, but there is no such file, nor a font of that name in the system's folders: expected "
        "a .ttf, .otf or .ttc file.",
        "（找不到该字体文件，请给出 .ttf、.otf 或 .ttc 文件的路径。）",
    )


def _system_fonts() -> list[str]:
    found = []
    for folder in _folders():
        for root, _, names in os.walk(folder):
            found += [os.path.join(root, name) for name in names if name.lower().endswith(_SUFFIXES)]
    return sorted(found)


def _folders() -> list[str]:
    """The font folders of the system and the user."""
    folders = ["/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"]
    if sys.platform == "darwin":
        folders = ["/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"]
    return [os.path.expanduser(folder) for folder in folders]


def _plain(path) -> str:
    """A font file's name in the form of `_USUAL`."""
    name = os.path.basename(path).lower()
    stem, suffix = os.path.splitext(name)
    return (stem if suffix in _SUFFIXES else name).translate({ord(mark): None for mark in " -_"})


def _rank(path) -> int:
    usual = _USUAL.split()
    return next((i for i, name in enumerate(usual) if _plain(path).startswith(name)), len(usual))


def _lacking(path, wanted: set[int]) -> set[int] | None:
    """The code points that a font has no glyph for; None if the file is not a font."""
    from matplotlib.ft2font import FT2Font

    try:
        return wanted - FT2Font(path).get_charmap().keys()
    except (OSError, RuntimeError, ValueError):
        return None


def _some(code_points) -> str:
    """The first few that can be printed."""
    return "".join(itertools.islice((chr(c) for c in sorted(code_points) if chr(c).isprintable()), 5))


def _shown(code_points) -> str:
    some = ", ".join(f"{chr(c)!r}" for c in sorted(code_points)[:5])
    return some if len(code_points) <= 5 else f"{some} and {len(code_points) - 5} more"
