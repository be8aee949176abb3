"""Colouring of words: functions of word, position and size with the signature that the wordcloud package calls."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import ImageColor, ImageFont

from tf2cases.wordcloud.messages import bilingual_error

_RANGE = r"\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*"
_HSL = re.compile(rf"hsl\({_RANGE},{_RANGE}%\s*,{_RANGE}%\s*\)")
_WEIGHT = re.compile(r"weight(?::(\d{1,3}))?")
_DARKEST, _LIGHTEST = 22, 72  # lightness in percent of the words with most and least weight
_BLUE = 215

FORMS = "image, weight, weight:HUE, hsl(H-H, S-S%, L-L%) or a matplotlib colormap such as viridis"

Colouring = Callable[..., str]


def make(color: str, weights: dict[str, float], picture: np.ndarray | None, scale: int) -> Colouring:
    """Creates the colouring function that a --color value describes.

    Args:
      color: "image" takes the mask's mean colour under the strokes of each word. "weight" and "weight:HUE" draw
        heavier words darker, in one hue of 0-360 degrees. "hsl(0, 60-80%, 60-80%)" picks random integers from the
        ranges; each part may be a single number. Anything else is the name of a matplotlib colormap, from which
        colours are picked at random.
      weights: {word: weight above 0} of all words.
      picture: uint8 [H, W, 3], the mask's colours, or None.
      scale: pixels of the picture per pixel of the layout, along each side.

    Raises:
      UsageError: `color` has none of these forms, a number is out of range, or "image" is used without a mask.
    """
    if color == "image":
        if picture is None:
            raise bilingual_error(
                "--color is 'image', but there is no --mask to take the colours from: expected one.",
                "（使用 --color=image 时，需要用 --mask 指定彩色蒙版图片。）",
            )
        return _from_picture(picture, scale)
    if match := _WEIGHT.fullmatch(color):
        return _by_weight(weights, _checked(color, match[1] or _BLUE, 360))
    if match := _HSL.fullmatch(color):
        ranges = [(match[i], match[i + 1] or match[i], most) for i, most in ((1, 360), (3, 100), (5, 100))]
        return _from_ranges(color, [tuple(_checked(color, end, most) for end in ends) for *ends, most in ranges])
    return _from_colormap(color)


def parse(name: str, color: str) -> tuple[int, int, int, int]:
    """Red, green, blue and opacity, 0-255, of a colour by name ("white"), "#rrggbb" or "hsl(...)"; or "transparent".

    Raises:
      UsageError: it is not a colour.
    """
    if color == "transparent":
        return 0, 0, 0, 0
    try:
        rgba: Any = ImageColor.getcolor(color, "RGBA")
        return rgba
    except ValueError as error:
        raise bilingual_error(
            f"--{name} is {color!r}, but must be transparent or a colour such as white, #ffcc00 or hsl(30, 80%, 50%).",
            "（颜色有误，可用 transparent、white、#ffcc00 等写法。）",
        ) from error


def _from_picture(picture, scale):
    def colour(word, font_size, position, orientation, font_path, random_state):
        top, left = (int(place) * scale for place in position)
        strokes = ink(font_path, font_size * scale, word, orientation)
        patch = picture[top : top + strokes.shape[0], left : left + strokes.shape[1]]
        strokes = strokes[: patch.shape[0], : patch.shape[1]].astype(np.float64)
        if not strokes.any():  # only white space
            return "rgb(0, 0, 0)"
        red, green, blue = np.rint(np.tensordot(strokes, patch, 2) / strokes.sum()).astype(int)
        return f"rgb({red}, {green}, {blue})"

    return colour


def _by_weight(weights, hue):
    logs = {word: np.log(weight) for word, weight in weights.items()}
    low, high = min(logs.values()), max(logs.values())

    def colour(word, font_size, position, orientation, font_path, random_state):
        importance = (logs[word] - low) / (high - low) if high > low else 1.0
        return f"hsl({hue}, 70%, {_LIGHTEST + importance * (_DARKEST - _LIGHTEST):.1f}%)"

    return colour


def _from_ranges(color, ranges):
    if any(low > high for low, high in ranges):
        raise _no_colouring(color)

    def colour(word, font_size, position, orientation, font_path, random_state):
        hue, saturation, lightness = (random_state.randint(low, high) for low, high in ranges)
        return f"hsl({hue}, {saturation}%, {lightness}%)"

    return colour


def _from_colormap(color):
    from matplotlib import colormaps

    if color not in colormaps:
        raise _no_colouring(color)
    chosen = colormaps[color]

    def colour(word, font_size, position, orientation, font_path, random_state):
        red, green, blue, _ = (255 * part for part in chosen(random_state.uniform(0, 1)))
        return f"rgb({red:.0f}, {green:.0f}, {blue:.0f})"

    return colour


def ink(font_path: str, size: int, word: str, orientation: Any) -> np.ndarray:
    """A word's opacity when drawn, uint8 [h, w], within the bounding box of its strokes."""
    font = ImageFont.TransposedFont(ImageFont.truetype(font_path, size), orientation)
    mask = font.getmask(word, "L")
    return np.array(mask, np.uint8).reshape(mask.size[::-1])


def _checked(color, number, most) -> int:
    number = int(number)
    if number > most:
        raise _no_colouring(color)
    return number


def _no_colouring(color):
    return bilingual_error(
        f"--color is {color!r}, but must be {FORMS}; hues are at most 360, the other numbers at most 100.",
        "（上色方式有误，可用 image、weight、hsl(…) 或 matplotlib 的 colormap 名称。）",
    )
