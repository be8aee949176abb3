"""Windows that slide over pictures: how many there are, and the sizes of tensors."""

from typing import Literal

import tensorflow as tf

from tf2cases.nn.errors import ShapeError

Padding = Literal["SAME", "VALID"]


def check_padding(layer: str, padding: str) -> None:
    """Raises ValueError, with the layer's name, unless the padding is a `Padding`."""
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"{layer}: padding is {padding!r}, but must be 'SAME' or 'VALID'.")


def count(layer: str, axis: str, length: int | None, window: int, strides: int, padding: Padding) -> int | None:
    """How many windows lie along an axis.

    Args:
      layer, axis: for the message.
      length: pixels along the axis, or None if that is not known.
      window, strides: in pixels.
      padding: SAME: ceil(length / strides) windows; VALID: only those that lie inside.

    Returns:
      None if the length is None.

    Raises:
      ShapeError: there is no VALID window.
    """
    if length is None:
        return None
    if padding == "SAME":
        return -(-length // strides)
    if length < window:
        raise ShapeError(
            f"{layer}: inputs have {axis} {length}, but a VALID window of {window} needs at least {window}."
        )
    return (length - window) // strides + 1


def sizes(tensor: tf.Tensor) -> list[int | tf.Tensor]:
    """The sizes of a tensor's axes: ints where they are known, else int32 scalars."""
    dynamic = tf.unstack(tf.shape(tensor))
    return [d if s is None else s for s, d in zip(tensor.shape, dynamic, strict=True)]
