"""All options of a word cloud, and the seven original clouds as presets."""

import dataclasses
import os
from typing import Any

from tf2cases.data.source import testdata_path
from tf2cases.wordcloud.messages import bilingual_error

LANGUAGES = ("auto", "en", "zh")
METHODS = ("count", "tfidf", "textrank")
MAX_PIXELS = 50_000_000

# Defaults for each language.
SIZES = {"en": (400, 200), "zh": (800, 600)}
BACKGROUNDS = {"en": "black", "zh": "transparent"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """All options, each named like its flag; None stands for the default of the text's language.

    Attributes:
      language: "auto", "en" (any language with spaces between the words) or "zh".
      segment: whether jieba cuts the text into words; by default only for Chinese.
      user_dict: path of the user's own jieba dictionary, or None.
      add_words: further words that jieba must keep whole.
      stopwords: path of a list of words to leave out, or None.
      own_stopwords: whether the words in the package's own lists are left out as well.
      min_word_length: words of fewer characters are left out; by default 2 for Chinese, else 0.
      collocations: whether pairs of words that often occur together are counted as one; by default not for Chinese.
      weights: "count", "tfidf" or "textrank".
      max_words: how many words to draw at most, the heaviest.
      mask: path of a picture whose shape is filled, or None.
      width, height: pixels of a cloud without a mask; by default 800 x 600 for Chinese, else 400 x 200.
      color: see `colors.make`.
      background: see `colors.parse`; by default transparent for Chinese, else black, or white for dark words
        ("weight").
      outline: width in pixels of the line around the mask, 0 for none.
      outline_color: its colour.
      font: a font file, or None to search for one.
      min_font_size: in pixels; a word that does not fit at this size is not drawn, nor are lighter ones.
      max_font_size: of the heaviest word, in pixels; None derives it from the picture.
      prefer_horizontal: share of the words that are tried horizontally first.
      seed: of positions, directions and random colours.
      preset: the preset that chose `language`, or None; a text in another language is refused. `make_options` sets it.

    Raises:
      UsageError: a value is out of its range, or two contradict each other.
    """

    language: str = "auto"
    segment: bool | None = None
    user_dict: str | None = None
    add_words: tuple[str, ...] = ()
    stopwords: str | None = None
    own_stopwords: bool = True
    min_word_length: int | None = None
    collocations: bool | None = None
    weights: str = "count"
    max_words: int = 200
    mask: str | None = None
    width: int | None = None
    height: int | None = None
    color: str = "viridis"
    background: str | None = None
    outline: int = 0
    outline_color: str = "black"
    font: str | None = None
    min_font_size: int = 4
    max_font_size: int | None = None
    prefer_horizontal: float = 0.9
    seed: int = 0
    preset: str | None = None

    def __post_init__(self) -> None:
        _one_of("language", self.language, LANGUAGES)
        _one_of("weights", self.weights, METHODS)
        _within("max_words", self.max_words, 1, 5000)
        _within("min_word_length", self.min_word_length, 0, 100)
        _within("width", self.width, 16, 20_000)
        _within("height", self.height, 16, 20_000)
        _within("outline", self.outline, 0, 100)
        _within("min_font_size", self.min_font_size, 1, 1000)
        _within("max_font_size", self.max_font_size, self.min_font_size, 20_000)
        _within("prefer_horizontal", self.prefer_horizontal, 0, 1)
        _within("seed", self.seed, 0, 2**63 - 1)
        if self.mask and (self.width or self.height):
            raise bilingual_error(
                f"--mask is {self.mask!r}, which sets the picture's size: --width and --height must not be given.",
                "（使用蒙版时图片大小由蒙版决定，请不要给出 --width 或 --height。）",
            )
        if self.outline and not self.mask:
            raise bilingual_error(
                f"--outline is {self.outline}, but there is no --mask to draw it around: expected one, or --outline=0.",
                "（使用 --outline 时必须同时给出 --mask。）",
            )
        if (self.width or 0) * (self.height or 0) > MAX_PIXELS:
            raise bilingual_error(
                f"--width={self.width} and --height={self.height} make more than 50 megapixels: expected fewer.",
                "（图片最多 5000 万像素。）",
            )


_CHINESE = dict(language="zh", width=800, height=600, background="transparent")

# The seven original clouds. The first and the last use only the stop words of the packages.
PRESETS: dict[str, dict[str, Any]] = {
    "english": dict(language="en", own_stopwords=False, width=400, height=200, background="black"),
    "chinese_raw": dict(**_CHINESE, segment=False),
    "chinese": dict(**_CHINESE, segment=True),
    "mask": dict(background="transparent"),
    "mask_colors": dict(background="transparent", color="image"),
    "custom_color": dict(background="transparent", color="hsl(0, 60-80%, 60-80%)"),
    "keywords": dict(language="zh", weights="tfidf", own_stopwords=False, background="transparent", color="image"),
}

# The masks of presets, in testdata/masks; another mask can be given instead.
_MASKS = {"mask": "teapot.png", "mask_colors": "tree.png", "custom_color": "tree.png", "keywords": "tree.png"}


def make_options(preset: str | None = None, **given: Any) -> Options:
    """The options of a preset, with overrides.

    Args:
      preset: a key of `PRESETS`, or None for the defaults.
      given: fields of `Options` that override the preset's. A mask also overrides the preset's size; with mask=None, a
        preset that has a mask fills a rectangle.

    Raises:
      UsageError: the preset is unknown, or see `Options`.
    """
    if preset is not None:
        _one_of("preset", preset, PRESETS)
    made: dict[str, Any] = {**PRESETS.get(preset or "", {})}
    if preset in _MASKS and "mask" not in given:
        made["mask"] = testdata_path(os.path.join("masks", _MASKS[preset]))
    if given.get("mask"):
        made = {name: value for name, value in made.items() if name not in ("width", "height")}
    chose_language = "language" in made and "language" not in given
    return Options(**{**made, **given}, preset=preset if chose_language else None)


def _one_of(name, value, accepted):
    if value not in accepted:
        raise bilingual_error(
            f"--{name} is {value!r}, but must be one of {', '.join(accepted)}.",
            f"（--{name} 可选：{'、'.join(accepted)}。）",
        )


def _within(name, value, least, most):
    if value is not None and not least <= value <= most:
        raise bilingual_error(
            f"--{name} is {value}, but must be from {least} to {most}.", f"（--{name} 应在 {least} 到 {most} 之间。）"
        )
