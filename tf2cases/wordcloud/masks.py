"""The shape that a cloud fills, and its colours: white or transparent is outside."""

import dataclasses

import numpy as np

from tf2cases.data.pictures import files as picture_files
from tf2cases.errors import UsageError
from tf2cases.wordcloud.messages import bilingual_error

WHITE = 250  # from here on in all three channels a pixel is white: JPEG files have no exact white
OPAQUE = 128  # from here on a pixel is no longer transparent


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
      UsageError: no picture, damaged, above 50 megapixels, or white or transparent all over.
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
            f"--mask is {path!r}, but all of it is white or transparent, which is outside: expected a dark or "
            "coloured shape to fill.",
            "（蒙版全是白色或透明，没有可填的区域，请给出深色或彩色的图形。）",
        )
    return Mask(inside, picture)
