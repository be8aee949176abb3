"""2-D convolution and transposed convolution."""

from typing import Any

import tensorflow as tf

from tf2cases.nn import initializers, random
from tf2cases.nn.layers import windows
from tf2cases.nn.layers.base import Activation, Layer, Shape


class _Convolution(Layer):
    """Base class of `Conv2D` and `Conv2DTranspose`.

    Args:
      filters: number of output channels, at least 1.
      kernel_size: an int, or (height, width), in pixels.
      strides: stride along both axes, at least 1.
      padding: "SAME" or "VALID".
      activation: function applied to the outputs, or None.
      use_bias: whether to add a bias for each filter; biases start at 0.
      kernel_init: initializer of the kernel.
      name: see `Layer`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int = 1,
        padding: windows.Padding = "SAME",
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_init: initializers.Initializer = initializers.glorot_uniform,
        name: str | None = None,
    ):
        super().__init__(name)
        height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        self._require_positive(filters=filters, strides=strides, kernel_height=height, kernel_width=width)
        self.filters, self.kernel_size, self.strides = filters, (height, width), strides
        self.padding: windows.Padding = windows.checked(self.name, padding)
        self.activation, self.use_bias, self.kernel_init = activation, use_bias, kernel_init

    def _make_variables(self, kernel_shape: tuple[int, ...], seed: int) -> None:
        kernel = self.kernel_init(kernel_shape, random.fold(seed, "kernel"))
        self.kernel = tf.Variable(kernel, name="kernel")
        if self.use_bias:
            self.bias = tf.Variable(tf.zeros([self.filters]), name="bias")

    def finish(self, outputs: tf.Tensor) -> tf.Tensor:
        """The layer's outputs from those of `start`: adds the bias and applies the activation."""
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, tf.cast(self.bias, outputs.dtype))
        return self.activation(outputs) if self.activation else outputs


class Conv2D(_Convolution):
    """2-D cross-correlation plus bias, then activation: [N, H, W, in] -> [N, H', W', filters].

    H' is ceil(H / strides) for SAME padding and ceil((H - kernel + 1) / strides) for VALID.
    Saved in checkpoints: `kernel` [height, width, in, filters], and `bias` [filters] unless `use_bias` is False.
    """

    default_name = "conv2d"

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        batch, *sides, channels = self._require_pictures(input_shape)
        sides = windows.counts(self.name, sides, self.kernel_size, self.strides, self.padding)
        self._make_variables((*self.kernel_size, channels, self.filters), seed)
        return (batch, *sides, self.filters)

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return self.compute(inputs, self.kernel)

    def compute(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Computes the layer with another kernel of the same shape (see `SpectralNorm`)."""
        return self.finish(self._convolve(inputs, kernel))

    def start(self, inputs: tf.Tensor) -> tf.Tensor:
        """The convolution alone; `finish` computes the rest."""
        return self._convolve(inputs, self.kernel)

    def _convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(inputs, tf.cast(kernel, inputs.dtype), self.strides, self.padding)


class Conv2DTranspose(_Convolution):
    """Transposed convolution, the gradient of `Conv2D` as a layer: [N, H, W, in] -> [N, H', W', filters].

    H' is H * strides for SAME padding and (H - 1) * strides + max(kernel, strides) for VALID.
    Saved in checkpoints: `kernel` [height, width, filters, in], and `bias` [filters] unless `use_bias` is False.
    """

    default_name = "conv2d_transpose"

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        batch, *sides, channels = self._require_pictures(input_shape)
        self._make_variables((*self.kernel_size, self.filters, channels), seed)
        grown = (side and self._grown(side, k) for side, k in zip(sides, self.kernel_size, strict=True))
        return (batch, *grown, self.filters)

    def _grown(self, length: Any, kernel: int) -> Any:
        """The output length along an axis of input length `length`: an int for an int, else an int32 scalar."""
        if self.padding == "SAME":
            return length * self.strides
        return (length - 1) * self.strides + max(kernel, self.strides)

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return self.finish(self.start(inputs))

    def start(self, inputs: tf.Tensor) -> tf.Tensor:
        """The transposed convolution alone; `finish` computes the rest."""
        batch, height, width, _ = windows.sizes(inputs)
        rows, columns = self._grown(height, self.kernel_size[0]), self._grown(width, self.kernel_size[1])
        shape = tf.stack([batch, rows, columns, self.filters])
        kernel = tf.cast(self.kernel, inputs.dtype)
        return tf.nn.conv2d_transpose(inputs, kernel, shape, self.strides, self.padding)
