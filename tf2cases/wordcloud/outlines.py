"""The outline of a mask, as polygons."""

from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from tf2cases.wordcloud import layout


def around(inside: np.ndarray) -> list[np.ndarray]:
    """Closed lines along the edges of a shape, slightly smoothed, including those of its holes.

    Args:
      inside: bool [H, W].

    Returns:
      float arrays [N, 2] of x and y in pixels, with the picture's corner at (0, 0); the last point equals the first.
    """
    from contourpy import contour_generator

    scale = layout.scale_of(*inside.shape)
    # Padding closes shapes that touch the picture's border.
    padded = np.pad((layout.reduced(inside, scale) * 255).astype(np.uint8), 1)
    smooth = Image.fromarray(padded).filter(ImageFilter.GaussianBlur(1))
    lines: Any = contour_generator(z=np.asarray(smooth, np.float32)).lines(127.5)
    return [(line - 0.5) * scale for line in lines]  # 1 for the padding, less 0.5: values are at pixel centres
