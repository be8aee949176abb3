"""The layout of words by the wordcloud package, on a canvas of limited size."""

import dataclasses
import math
import random
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from tf2cases.wordcloud.messages import bilingual_error
from tf2cases.wordcloud.options import Options

MAX_PIXELS = 1_200_000  # of the canvas that words are laid out on; all of it is searched for each word
# The package checks one pixel less above and to the left of a word than it draws; this margin compensates for it.
_MARGIN = 2
_SMALLEST = 4  # font size in pixels; smaller words are illegible


@dataclasses.dataclass(frozen=True)
class Placed:
    """A word in the picture.

    Attributes:
      word: its text.
      size: font size in pixels.
      top, left: the top left corner of the bounding box of its strokes, in pixels.
      turned: whether it reads from bottom to top.
      color: in CSS notation, rgb(...) or hsl(...).
    """

    word: str
    size: int
    top: int
    left: int
    turned: bool
    color: str


def scale_of(height: int, width: int) -> int:
    """The number of pixels of the picture per pixel of the layout's canvas, along each side."""
    return max(1, math.ceil(math.sqrt(height * width / MAX_PIXELS)))


def reduced(inside: np.ndarray, scale: int) -> np.ndarray:
    """The share of each `scale` x `scale` block that is inside, float [H // scale, W // scale]."""
    height, width = (side // scale for side in inside.shape)
    return inside[: height * scale, : width * scale].reshape(height, scale, width, scale).mean((1, 3))


def place(
    weights: Mapping[str, float],
    font: str,
    height: int,
    width: int,
    inside: np.ndarray | None,
    colouring: Callable,
    options: Options,
) -> list[Placed]:
    """Places the words, the heaviest first, until there is no room.

    Args:
      weights: {word: weight above 0}.
      font: path of a font that has all their characters.
      height, width: of the picture in pixels.
      inside: bool [height, width], where words may be; or None for everywhere.
      colouring: from `colors.make`.
      options: `max_words`, the font sizes, `prefer_horizontal` and `seed` are used.

    Returns:
      The words that fit, the heaviest first; all strokes are inside, and none overlap.

    Raises:
      UsageError: there is no room for any word.
    """
    from wordcloud import WordCloud

    scale = scale_of(height, width)
    mask = None
    if inside is not None:
        # A block with any pixel outside is outside.
        mask = np.where(reduced(inside, scale) == 1, 0, 255).astype(np.uint8)
    largest = options.max_font_size and max(_SMALLEST, options.max_font_size // scale)
    maker = WordCloud(
        font_path=font,
        width=width // scale,
        height=height // scale,
        margin=_MARGIN,
        mask=mask,
        max_words=options.max_words,
        min_font_size=max(min(_SMALLEST, options.min_font_size), math.ceil(options.min_font_size / scale)),
        max_font_size=largest,
        prefer_horizontal=options.prefer_horizontal,
        random_state=random.Random(options.seed),
        color_func=colouring,
    )
    try:
        laid = maker.generate_from_frequencies(weights).layout_
    except ValueError as error:
        if "space" not in str(error):  # the package's message if no word fits
            raise
        laid = []
    if not laid:
        what = "--mask" if inside is not None else "--width, --height"
        shape = f", {inside.sum():,} of them inside," if inside is not None else ""
        raise bilingual_error(
            f"{what}: a picture of {width} x {height} pixels{shape} has no room for any word in a font of "
            f"{options.min_font_size} pixels: expected a larger one.",
            "（图片或蒙版太小，放不下任何词，请换用更大的图片或蒙版。）",
        )
    return [
        Placed(word, size * scale, int(top) * scale, int(left) * scale, turn == Image.Transpose.ROTATE_90, color)
        for (word, _), size, (top, left), turn, color in laid
    ]
