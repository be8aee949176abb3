"""The shape that a cloud fills, and its colours; white and transparent pixels are outside."""

import dataclasses

import numpy as np

from tf2cases.data.pictures import files as picture_files
from tf2cases.errors import UsageError
from tf2cases.wordcloud.messages import bilingual_error

WHITE = 250  # a pixel is white if all three channels are at least this; JPEG files have no exact white
OPAQUE = 128  # a pixel is transparent if its opacity is below this


@dataclasses.dataclass(frozen=True)
class Mask:
    """A shape.

    Attributes:
      inside: bool [H, W].
      picture: uint8 [H, W, 3], its colours.
    """

    inside: np.ndarray
    picture: np.ndarray


def read(path: str) -> Mask:
    """Reads a mask from a picture of any size and mode.

    Raises:
      UsageError: it is not a picture, is damaged, has more than 50 megapixels, or is entirely white or transparent.
    """
    try:
        pixels = np.asarray(picture_files.decode(path, "RGBA"))
    except UsageError as error:
        raise bilingual_error(
            f"--mask: {error}", "（无法读取蒙版图片，请给出 PNG、JPEG 等格式的完好图片。）"
        ) from error
    picture, opacity = pixels[..., :3], pixels[..., 3]
    inside = (picture < WHITE).any(axis=2) & (opacity >= OPAQUE)
    if not inside.any():
        raise bilingual_error(
            f"--mask is {path!r}, but all of it is white or transparent, which counts as outside: expected a dark or "
            "coloured shape to fill.",
            "（蒙版全部是白色或透明的，没有可填充的区域，请给出深色或彩色的图形。）",
        )
    return Mask(inside, picture)
