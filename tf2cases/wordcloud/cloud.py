"""Drawing weighted words as a picture."""

import dataclasses
import io
import os

import numpy as np
from PIL import Image

from tf2cases import files
from tf2cases.errors import UsageError
from tf2cases.wordcloud import colors, drawing, fonts, layout, masks, outlines
from tf2cases.wordcloud.messages import bilingual_error
from tf2cases.wordcloud.options import BACKGROUNDS, SIZES, Options
from tf2cases.wordcloud.svg import svg
from tf2cases.wordcloud.weighing import Words

SUFFIXES = (".png", ".svg")


@dataclasses.dataclass(frozen=True)
class Cloud:
    """A drawn cloud.

    Attributes:
      width, height: pixels.
      background: red, green, blue, opacity, 0-255.
      words: [layout.Placed], those that fit, the heaviest first.
      font: the path of its font.
      outline: [float [N, 2]], see `outlines.around`; empty without a mask or an outline.
      outline_width: pixels.
      outline_color: red, green, blue, opacity, 0-255.
    """

    width: int
    height: int
    background: tuple[int, int, int, int]
    words: list[layout.Placed]
    font: str
    outline: list[np.ndarray]
    outline_width: int
    outline_color: tuple[int, int, int, int]

    def image(self) -> Image.Image:
        """The cloud as pixels: mode RGB on a solid background, else RGBA."""
        return drawing.image(self)

    def svg(self) -> str:
        """The cloud as an SVG file's text."""
        return svg(self)

    def save(self, path: str) -> None:
        """Writes a .png or .svg file atomically.

        Raises:
          UsageError: the path has another ending.
          OSError: the file cannot be written.
        """
        if _suffix(path) == ".svg":
            files.write_bytes(path, self.svg().encode())
        else:
            buffer = io.BytesIO()
            self.image().save(buffer, "PNG", optimize=True)
            files.write_bytes(path, buffer.getvalue())


def draw(words: Words, options: Options, mask: masks.Mask | None = None) -> Cloud:
    """Draws a cloud.

    Args:
      words: from `weigh`, or created from a table.
      options: those for shape, colours, font and sizes are used.
      mask: that of the options, if it has been read already.

    Raises:
      UsageError: a mask, font or colour is not usable, or there is no room for any word.
    """
    usual = BACKGROUNDS[words.language]
    if usual == "black" and options.color.startswith("weight"):  # heavier words are darker
        usual = "white"
    background = colors.parse("background", options.background or usual)
    outline_color = colors.parse("outline_color", options.outline_color)
    if mask is None and options.mask:
        mask = masks.read(options.mask)
    if mask:
        height, width = mask.inside.shape
    else:
        usual_width, usual_height = SIZES[words.language]
        width, height = options.width or usual_width, options.height or usual_height
    colouring = colors.make(
        options.color, words.weights, mask.picture if mask else None, layout.scale_of(height, width)
    )
    weights = dict(list(words.weights.items())[: options.max_words])
    font = fonts.find("".join(weights), options.font)
    placed = layout.place(weights, font, height, width, mask.inside if mask else None, colouring, options)
    outline = outlines.around(mask.inside) if mask and options.outline else []
    return Cloud(width, height, background, placed, font, outline, options.outline, outline_color)


def check_target(flag: str, path: str, suffixes: tuple[str, ...] = SUFFIXES) -> None:
    """Checks in advance whether a file can be written.

    Raises:
      UsageError: the path has another ending or is a folder, or its folder does not exist or is not writable.
    """
    _suffix(path, flag, suffixes)
    try:
        files.check_target(f"--{flag}", path)
    except UsageError as error:
        raise bilingual_error(str(error), "（无法写入该文件，请给出可写文件夹中的文件名。）") from error


def _suffix(path, flag="out", suffixes=SUFFIXES) -> str:
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in suffixes:
        if files.is_special(path):  # a pipe or a device needs no ending
            return suffixes[0]
        raise bilingual_error(
            f"--{flag} is {path!r}, but must end in {' or '.join(suffixes)}.",
            f"（文件名应以 {' 或 '.join(suffixes)} 结尾。）",
        )
    return suffix
