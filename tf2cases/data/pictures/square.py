"""Pictures cropped and resized to squares for training."""

import math

import numpy as np
from PIL import Image

from tf2cases.data.pictures import decoding

# A JPEG decoder can reduce by 2, 4 or 8 while it decodes, but only with a box filter. Its output is at least this many
# times larger than wanted, so that the filter of the final resize determines the result.
_DRAFT_MARGIN = 2


class TooSmall(ValueError):
    """A picture is smaller than the square to be cropped from it."""


def decode(data: bytes, size: int, channels: int = 3, crop: int | None = None) -> np.ndarray:
    """Decodes a picture, turns it upright, crops the centred square and resizes it (Lanczos, antialiased).

    A JPEG more than four times larger than wanted is reduced while it is decoded; otherwise see `decoding.decode`.

    Args:
      data: the content of a picture file.
      size: side of the result in pixels.
      channels: 3 for red, green, blue; 1 for grey.
      crop: side of the centred square in pixels of the picture; None for the largest. If it cannot be centred exactly,
        it is half a pixel up or left.

    Returns:
      uint8 [size, size, channels].

    Raises:
      TooSmall: the picture is smaller than `crop`.
      ValueError: it is refused, see `decoding.decode`.
    """
    image = decoding.opened(data)
    width, height = image.size
    if crop and crop > min(width, height):
        raise TooSmall(
            f"has {width} x {height} pixels: expected at most {min(width, height)}, or none for the largest square"
        )
    side = crop or min(width, height)
    if image.format in decoding.JPEG:
        least = _DRAFT_MARGIN * size / side
        image.draft(None, (math.ceil(width * least), math.ceil(height * least)))
    reduced, before = round(width / image.width), image.size
    image = decoding.converted(image, "L" if channels == 1 else "RGB")
    if image.size != before:  # its orientation swaps the sides
        width, height = height, width
    left, top = (width - side) // 2, (height - side) // 2
    box = left, top, left + side, top + side
    if reduced > 1:  # its edges may be inside pixels
        inside = left / reduced, top / reduced, (left + side) / reduced, (top + side) / reduced
        square = image.resize((size, size), Image.Resampling.LANCZOS, box=inside)
    else:
        square = image.crop(box)
        if side != size:
            square = square.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(size, size, channels)
