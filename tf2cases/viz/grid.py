"""Grids of pictures."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from tf2cases.viz import canvas


def to_uint8(images: ArrayLike) -> np.ndarray:
    """Converts pictures to uint8: floats in [0, 1] are scaled by 255, clipped and rounded; uint8 is unchanged.

    Raises:
      TypeError: for a wrong dtype.
      ValueError: for values that are not finite.
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise TypeError(f"images are {images.dtype}, but must be uint8 or float in [0, 1].")
    if not np.isfinite(images).all():
        raise ValueError("images hold values that are not finite, but must be float in [0, 1].")
    # At least float32: in float16 the scaled values above 128 would be rounded twice.
    scaled = images.astype(np.promote_types(images.dtype, np.float32)) * 255
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _batch(images: ArrayLike) -> np.ndarray:
    """Checks pictures and returns them as uint8 [N, h, w, 1|3], with no size zero."""
    shape = list(np.shape(images))
    if len(shape) != 4 or 0 in shape or shape[-1] not in (1, 3):
        raise ValueError(f"images have the shape {shape}, but must be [N, h, w, 1] or [N, h, w, 3] with N, h, w >= 1.")
    return to_uint8(images)


def _columns(columns: int | None, count: int) -> int:
    if columns is None:
        return math.ceil(math.sqrt(count))
    if columns < 1:
        raise ValueError(f"columns is {columns}, but must be at least 1.")
    return columns


def montage(images: ArrayLike, columns: int | None = None, border: int = 1, border_value: int = 128) -> np.ndarray:
    """Lays pictures out in rows, left to right and top to bottom.

    Args:
      images: uint8, or float in [0, 1] (clipped), [N, h, w, C], C in {1, 3}.
      columns: pictures in a row; ceil(sqrt(N)) by default, for a square or nearly square grid.
      border: pixels between pictures and around the grid.
      border_value: grey of the borders and of empty cells in the last row; 0 to 255.

    Returns:
      uint8 [rows * (h + border) + border, columns * (w + border) + border, C].

    Raises:
      TypeError: for a wrong dtype.
      ValueError: for a wrong shape, columns < 1, border < 0 or border_value outside 0-255.
    """
    images = _batch(images)
    if border < 0:
        raise ValueError(f"border is {border}, but must be at least 0.")
    if not 0 <= border_value <= 255:
        raise ValueError(f"border_value is {border_value}, but must be between 0 and 255.")
    count, h, w, channels = images.shape
    columns = _columns(columns, count)
    rows = math.ceil(count / columns)
    # Each cell includes its top and left border; the padding adds the border at the bottom and right of the grid.
    cells = np.full((rows * columns, h + border, w + border, channels), border_value, np.uint8)
    cells[:count, border:, border:] = images
    cells = cells.reshape(rows, columns, h + border, w + border, channels).swapaxes(1, 2)
    grid = cells.reshape(rows * (h + border), columns * (w + border), channels)
    return np.pad(grid, ((0, border), (0, border), (0, 0)), constant_values=np.uint8(border_value))


def labelled(
    images: ArrayLike,
    labels: Sequence,
    columns: int | None = None,
    marks: ArrayLike | None = None,
    invert: bool = False,
) -> np.ndarray:
    """Pictures in rows, each with its label above; small pictures are enlarged by an integer factor.

    Args:
      images: uint8, or float in [0, 1] (clipped), [N, h, w, C], C in {1, 3}.
      labels: N labels, written with `str`; they may have several lines.
      columns: pictures in a row; ceil(sqrt(N)) by default.
      marks: bool [N]; labels where it is True, such as wrong ones, are written bold and red.
      invert: draw 255 - value, so that MNIST's light digits appear dark on white.

    Returns:
      uint8 [H, W, 3].

    Raises:
      TypeError: for a wrong dtype.
      ValueError: for a wrong shape, or a wrong number of labels or marks.
    """
    images = _batch(images)
    count = len(images)
    texts = [canvas.plain(label) for label in labels]
    marks = np.zeros(count, bool) if marks is None else np.asarray(marks)
    if len(texts) != count:
        raise ValueError(f"there are {len(texts)} labels, but there must be {count}, one for each image.")
    if marks.shape != (count,) or marks.dtype != bool:
        raise ValueError(f"marks are {marks.dtype} {list(marks.shape)}, but must be bool [{count}].")
    columns = _columns(columns, count)
    if invert:
        images = 255 - images
    factor = max(1, 96 // max(images.shape[1:3]))
    images = np.broadcast_to(images, (*images.shape[:3], 3))
    images = images.repeat(factor, axis=1).repeat(factor, axis=2)
    h, w = images.shape[1:3]

    gap, dpi = 12, 100
    plain, marked = dict(fontsize=10.5, color=canvas.INK), dict(fontsize=10.5, color=canvas.ALARM, fontweight="bold")
    styles = [marked if mark else plain for mark in marks]
    text_w, text_h = _largest(texts, styles, dpi)
    cell_h = text_h + 5 + h + gap
    cell_w = max(w, text_w) + gap
    rows = math.ceil(count / columns)
    height, width = rows * cell_h + gap, columns * cell_w + gap
    # Half a pixel more, since matplotlib rounds down.
    figure = canvas.figure((width + 0.5) / dpi, (height + 0.5) / dpi, dpi, layout=None)
    corners = []
    for i, (text, style) in enumerate(zip(texts, styles, strict=True)):
        top = gap + i // columns * cell_h + text_h + 5
        left = gap + i % columns * cell_w + (cell_w - gap - w) // 2
        corners.append((top, left))
        x, y = (left + w / 2) / width, 1 - (top - 5) / height
        figure.text(x, y, text, ha="center", va="bottom", **style)
    page = canvas.pixels(figure)[:height, :width]
    for (top, left), image in zip(corners, images, strict=True):
        page[top - 1 : top + h + 1, left - 1 : left + w + 1] = 190  # a thin frame
        page[top : top + h, left : left + w] = image
    return page


def _largest(texts: Sequence[str], styles: Sequence[dict], dpi: int) -> tuple[int, int]:
    """The largest width and the largest height of the texts, in pixels."""
    figure = canvas.figure(1, 1, dpi, layout=None)
    drawn = [figure.text(0, 0, text, **style) for text, style in zip(texts, styles, strict=True)]
    canvas.find_fonts(figure)
    boxes = [text.get_window_extent() for text in drawn]
    return math.ceil(max(b.width for b in boxes)), math.ceil(max(b.height for b in boxes))
