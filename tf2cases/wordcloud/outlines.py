"""The line around a mask, as polygons."""

from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from tf2cases.wordcloud import layout


def around(inside: np.ndarray) -> list[np.ndarray]:
    """Closed lines along the edge of a shape, a little smoothed, also around its holes.

    Args:
      inside: bool [H, W].

    Returns:
      float arrays [N, 2] of x and y in pixels, the picture's corner being (0, 0); the last point is the first.
    """
    from contourpy import contour_generator

    scale = layout.scale_of(*inside.shape)
    # What touches the picture's border is closed there.
    padded = np.pad((layout.reduced(inside, scale) * 255).astype(np.uint8), 1)
    smooth = Image.fromarray(padded).filter(ImageFilter.GaussianBlur(1))
    lines: Any = contour_generator(z=np.asarray(smooth, np.float32)).lines(127.5)
    return [(line - 0.5) * scale for line in lines]  # a pixel's value is that of its centre; 1 is the padding
