"""Neighbouring layers of a `Sequential` that are computed together: the same function, by less work.

Variables, names and the summary stay those of the layers.

  * A maximum commutes with what does not decrease. So where a `MaxPool2D` follows a convolution or a batch norm, the
    bias of each channel and the activation are applied after the pool, to a quarter of the values for a pool of 2. In
    floating point, too, both orders give the same values, since rounding does not decrease either. Where two values of
    a window become equal by rounding, the gradient may go to the other one.
  * Repeating each pixel and then convolving is a transposed convolution, whose kernel sums the taps that meet the same
    pixel. For 2x2 pixels and a 3x3 kernel, it takes 16 instead of 36 multiplications for each input pixel and pair of
    channels, and the large picture in between is not made.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from tf2cases.nn.layers import windows
from tf2cases.nn.layers.base import Layer, call
from tf2cases.nn.layers.convolution import Conv2D, Conv2DTranspose
from tf2cases.nn.layers.normalization import BatchNorm
from tf2cases.nn.layers.pooling import MaxPool2D
from tf2cases.nn.layers.reshaping import UpSampling2D

Matrix = list[list[float]]

# Activations that do not decrease, in floating point either.
_MONOTONE = (None, tf.nn.relu, tf.nn.relu6)


def apply(layers: Sequence[Layer], inputs: tf.Tensor, **arguments: Any) -> tf.Tensor:
    """The outputs of the layers in sequence.

    Args:
      layers: the layers, in order.
      inputs: [N, ...].
      **arguments: for the layers that accept them; see `call`.
    """
    for up, layer, pool in _groups(layers):
        if up is None and pool is None:
            inputs = call(layer, inputs, **arguments)
            continue
        with layer.name_scope as scope:
            if up is None:
                inputs = call(layer, inputs, **arguments, method="start")
            else:
                inputs = _start_enlarged(layer, inputs, up.size)
        if pool is not None:
            inputs = pool(inputs)
        with tf.name_scope(scope):  # the scope itself, since it ends with a slash
            inputs = layer.finish(inputs)
    return inputs


def _groups(layers: Sequence[Layer]) -> Iterator[tuple[UpSampling2D | None, Any, MaxPool2D | None]]:
    """(an `UpSampling2D` to be computed with the layer, the layer, a `MaxPool2D` to be computed with it)."""
    rest = list(layers)
    while rest:
        up = rest.pop(0) if _enlarges(*rest[:2]) else None
        layer = rest.pop(0)
        yield up, layer, rest.pop(0) if _is_pooled(layer, *rest[:1]) else None  # type: ignore[misc]


# Types are compared exactly, since a subclass may compute something else.


def _enlarges(up: Layer, convolution: Layer | None = None) -> bool:
    return (
        type(up) is UpSampling2D
        and type(convolution) is Conv2D
        and up.size > 1
        and (convolution.strides, convolution.padding) == (1, "SAME")
        # The transposed convolution pads as the convolution does only if the kernel has a middle.
        and all(side % 2 for side in convolution.kernel_size)
    )


def _is_pooled(layer: Layer, pool: Layer | None = None) -> bool:
    return (
        type(layer) in (Conv2D, Conv2DTranspose, BatchNorm)
        and type(pool) is MaxPool2D
        and pool.step > 1
        and layer.activation in _MONOTONE  # type: ignore[attr-defined]
    )


def _start_enlarged(convolution: Conv2D, inputs: tf.Tensor, size: int) -> tf.Tensor:
    """`convolution.start` of the inputs with each pixel repeated `size` x `size` times."""
    sides, filters = convolution.kernel_size, convolution.filters

    def transposed(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        kernel = _combined(kernel, [_sums_of_taps(side, size) for side in sides])
        kernel = tf.cast(tf.transpose(kernel, [0, 1, 3, 2]), inputs.dtype)
        batch, height, width, _ = windows.sizes(inputs)
        shape = tf.stack([batch, height * size, width * size, filters])
        return tf.nn.conv2d_transpose(inputs, kernel, shape, size, "SAME")

    @tf.custom_gradient
    def in_parts(inputs: tf.Tensor, kernel: tf.Tensor) -> Any:  # (outputs, their gradients)
        # The pixels of a size x size block of the output as channels, by a convolution of the small picture.
        matrices = [_taps_of_each_copy(side, size) for side in sides]
        places = [len(matrix) // size for matrix in matrices]
        parts = tf.reshape(_combined(kernel, matrices), [size, places[0], size, places[1], -1, filters])
        parts = tf.reshape(tf.transpose(parts, [1, 3, 4, 0, 2, 5]), [*places, -1, size * size * filters])
        outputs = tf.nn.depth_to_space(tf.nn.conv2d(inputs, tf.cast(parts, inputs.dtype), 1, "SAME"), size)

        def back(gradients: tf.Tensor) -> Any:
            with tf.GradientTape() as tape:
                tape.watch([inputs, kernel])
                same = transposed(inputs, kernel)  # not computed, since its gradients do not depend on it
            return tape.gradient(same, [inputs, kernel], output_gradients=gradients)

        return outputs, back

    # For few filters, the kernels of a transposed convolution take twice as long, but those of its gradients do not.
    function = in_parts if filters < 8 else transposed
    return function(inputs, tf.convert_to_tensor(convolution.kernel))


def _combined(kernel: tf.Tensor, matrices: Sequence[Matrix]) -> tf.Tensor:
    """Sums of a kernel's taps: [height, width, in, out] -> [rows, columns, in, out].

    Args:
      kernel: the kernel.
      matrices: [rows, height] and [columns, width], of zeros and ones.
    """
    _, _, channels, filters = kernel.shape
    vertical, horizontal = matrices
    both = [[a * b for a in row for b in column] for row in vertical for column in horizontal]  # the Kronecker product
    sums = tf.matmul(tf.constant(both), tf.reshape(kernel, [-1, channels * filters]))
    return tf.reshape(sums, [*map(len, matrices), channels, filters])


def _sums_of_taps(taps: int, size: int) -> Matrix:
    """The matrix [taps + size - 1, taps] from a kernel to that of the transposed convolution.

    Tap t of the kernel and copy c of a pixel meet at the same place of the output for equal c - t.
    """
    return [
        [float(0 <= row - (taps - 1 - tap) < size) for tap in range(taps)]  # row - (taps - 1 - tap): the copy
        for row in range(taps + size - 1)
    ]


def _taps_of_each_copy(taps: int, size: int) -> Matrix:
    """The matrix [size * places, taps]: which taps meet, for each copy of a pixel, the pixels around it."""
    reach = -(-(taps // 2) // size)  # in pixels
    return [
        [float((copy + tap - taps // 2) // size == place) for tap in range(taps)]
        for copy in range(size)
        for place in range(-reach, reach + 1)
    ]
