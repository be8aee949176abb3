"""Counts of sliding windows, and sizes of tensors."""

from collections.abc import Sequence
from typing import Literal

import tensorflow as tf

from tf2cases.nn.layers.base import ShapeError

Padding = Literal["SAME", "VALID"]


def checked(layer: str, padding: Padding) -> Padding:
    """Raises a ValueError that names the layer unless the padding is valid; returns the padding."""
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"{layer}: padding is {padding!r}, but must be 'SAME' or 'VALID'.")
    return padding


def counts(
    layer: str, sides: Sequence[int | None], window: Sequence[int], strides: int, padding: Padding
) -> list[int | None]:
    """The numbers of windows along the height and along the width.

    Args:
      layer: name of the layer, for the error message.
      sides: (height, width) of the picture in pixels, None if unknown.
      window: (height, width) in pixels.
      strides: in pixels, along both axes.
      padding: SAME: ceil(side / strides) windows; VALID: only windows inside the picture.

    Returns:
      [along the height, along the width]; None for a side of None.

    Raises:
      ShapeError: a side is too short for a VALID window.
    """
    if padding == "SAME":
        return [side and -(-side // strides) for side in sides]
    for axis, side, length in zip(("height", "width"), sides, window, strict=True):
        if side is not None and side < length:
            raise ShapeError(
                f"{layer}: inputs have {axis} {side}, but a VALID window of {length} needs at least {length}."
            )
    return [side and (side - length) // strides + 1 for side, length in zip(sides, window, strict=True)]


def sizes(tensor: tf.Tensor) -> list[int | tf.Tensor]:
    """The sizes of a tensor's axes: ints where they are known, else int32 scalars."""
    dynamic = tf.unstack(tf.shape(tensor))
    return [d if s is None else s for s, d in zip(tensor.shape, dynamic, strict=True)]
