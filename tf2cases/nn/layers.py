"""Layers: tf.Modules that make their variables in `create` and compute in `__call__`.

The contract, which `Sequential` and `summary` rely on:

  * The constructor takes the configuration and checks it; it makes no variables.
  * `create(input_shape, seed)` makes the variables and returns the output shape. Shapes are tuples with None for the
    batch; `seed` is an int, from which each variable's initial value is drawn statelessly.
  * `__call__(inputs)` computes in the dtype of its inputs: variables are float32, and are cast to it. So a network fed
    with bfloat16 runs in bfloat16, and the same network fed with float32 (an export, say) runs in float32.
  * A layer that behaves differently in training names its further arguments in `call_arguments`: `is_training` (bool),
    `seed` (int64 [2], that of the step) and `update_statistics` (bool, whether moving statistics follow).
"""

import math

import tensorflow as tf

from tf2cases.nn import initializers, random


class Layer(tf.Module):
    """Base class of layers: remembers the shapes that `summary` prints.

    Attributes:
      output_shape: tuple, set by `create`; None before.
    """

    call_arguments = ()
    output_shape = None

    @property
    def name_scope(self):
        """The caller's scope, then this layer's name; tf.Module's own is fixed where the layer is constructed, and so
        would leave out the network that the layer is part of."""
        return tf.name_scope(self.name)

    def create(self, input_shape, seed):
        """Makes the variables for inputs of `input_shape` and returns the output shape.

        Raises:
          ValueError: it was created before (an optimizer may hold its variables), or the shape does not fit.
        """
        if self.output_shape is not None:
            raise ValueError(f"{self.name} was created already, but a layer can be created only once.")
        with self.name_scope:
            shape = tuple(self._create(tuple(input_shape), seed))
        # Not through tf.Module, which would wrap the tuple as something to checkpoint.
        object.__setattr__(self, "output_shape", shape)
        return shape

    def _create(self, input_shape, seed):
        raise NotImplementedError

    def _require_rank(self, input_shape, rank, layout):
        if len(input_shape) != rank:
            raise ValueError(f"{self.name} got inputs of shape {list(input_shape)}, but needs rank {rank}: {layout}.")
        if input_shape[-1] is None:
            raise ValueError(f"{self.name} got inputs of shape {list(input_shape)}, but needs a known last dimension.")


def _require_positive(layer, **values):
    for name, value in values.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{layer}: {name} is {value!r}, but must be a positive integer.")


class Dense(Layer):
    """activation(inputs @ kernel + bias) for inputs [..., in] -> [..., units].

    Saved in checkpoints: `kernel` [in, units], and `bias` [units] unless `use_bias` is False.
    """

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_init=initializers.glorot_uniform,
        bias_init=initializers.zeros,
        name="dense",
    ):
        super().__init__(name)
        _require_positive(name, units=units)
        self.units, self.activation, self.use_bias = units, activation, use_bias
        self.kernel_init, self.bias_init = kernel_init, bias_init

    def _create(self, input_shape, seed):
        self._require_rank(input_shape, max(len(input_shape), 2), "[batch, ..., features]")
        kernel_shape = (input_shape[-1], self.units)
        kernel = self.kernel_init(kernel_shape, random.fold(seed, "kernel"))
        self.kernel = tf.Variable(kernel, name="kernel")
        if self.use_bias:
            bias = self.bias_init((self.units,), random.fold(seed, "bias"))
            self.bias = tf.Variable(bias, name="bias")
        return (*input_shape[:-1], self.units)

    @tf.Module.with_name_scope
    def __call__(self, inputs):
        return self.compute(inputs, self.kernel)

    def compute(self, inputs, kernel):
        """The layer with another kernel than its own, of the same shape (see `SpectralNorm`)."""
        outputs = tf.matmul(inputs, tf.cast(kernel, inputs.dtype))
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, tf.cast(self.bias, inputs.dtype))
        return self.activation(outputs) if self.activation else outputs


def _check_padding(name, padding):
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"{name}: padding is {padding!r}, but must be 'SAME' or 'VALID'.")


def _windows(name, axis, length, window, strides, padding):
    """How many windows lie along an axis; None if its length is unknown."""
    if length is None:
        return None
    if padding == "SAME":
        return -(-length // strides)
    if length < window:
        raise ValueError(
            f"{name}: inputs have {axis} {length}, but a VALID window of {window} needs at least {window}."
        )
    return (length - window) // strides + 1


def _sizes(tensor):
    """The sizes of a tensor's axes as a list: ints where known, else scalar tensors."""
    dynamic = tf.unstack(tf.shape(tensor))
    return [d if s is None else s for s, d in zip(tensor.shape, dynamic, strict=True)]


class _Convolution(Layer):
    """What both kinds of convolution share; see the subclasses."""

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="SAME",
        activation=None,
        use_bias=True,
        kernel_init=initializers.glorot_uniform,
        bias_init=initializers.zeros,
        name="conv2d",
    ):
        super().__init__(name)
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        _require_positive(name, filters=filters, strides=strides, kernel_height=size[0], kernel_width=size[1])
        _check_padding(name, padding)
        self.filters, self.kernel_size, self.strides, self.padding = filters, size, strides, padding
        self.activation, self.use_bias = activation, use_bias
        self.kernel_init, self.bias_init = kernel_init, bias_init

    def _create(self, input_shape, seed):
        self._require_rank(input_shape, 4, "[batch, height, width, channels]")
        sides = tuple(
            self._output_length(length, k, axis)
            for length, k, axis in zip(input_shape[1:3], self.kernel_size, ("height", "width"), strict=True)
        )
        shape = self.kernel_size + self._kernel_channels(input_shape[-1])
        self.kernel = tf.Variable(self.kernel_init(shape, random.fold(seed, "kernel")), name="kernel")
        if self.use_bias:
            bias = self.bias_init((self.filters,), random.fold(seed, "bias"))
            self.bias = tf.Variable(bias, name="bias")
        return (input_shape[0], *sides, self.filters)

    def _finish(self, outputs):
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, tf.cast(self.bias, outputs.dtype))
        return self.activation(outputs) if self.activation else outputs


class Conv2D(_Convolution):
    """2-D cross-correlation plus bias, then activation: [N, H, W, in] -> [N, H', W', filters].

    H' is ceil(H / strides) for SAME padding and ceil((H - kernel + 1) / strides) for VALID.
    Saved in checkpoints: `kernel` [height, width, in, filters], `bias` [filters] unless `use_bias` is False.
    """

    def _output_length(self, length, kernel, axis):
        return _windows(self.name, axis, length, kernel, self.strides, self.padding)

    def _kernel_channels(self, channels):
        return (channels, self.filters)

    @tf.Module.with_name_scope
    def __call__(self, inputs):
        return self.compute(inputs, self.kernel)

    def compute(self, inputs, kernel):
        """The layer with another kernel than its own, of the same shape (see `SpectralNorm`)."""
        kernel = tf.cast(kernel, inputs.dtype)
        return self._finish(tf.nn.conv2d(inputs, kernel, self.strides, self.padding))


class Conv2DTranspose(_Convolution):
    """The gradient of `Conv2D` as a layer: [N, H, W, in] -> [N, H', W', filters], height and width growing.

    H' is H * strides for SAME padding and (H - 1) * strides + max(kernel, strides) for VALID.
    Saved in checkpoints: `kernel` [height, width, filters, in], `bias` [filters] unless `use_bias` is False.
    """

    def __init__(self, filters, kernel_size, *arguments, name="conv2d_transpose", **options):
        super().__init__(filters, kernel_size, *arguments, name=name, **options)

    def _output_length(self, length, kernel, axis):
        del axis
        if length is None:
            return None
        if self.padding == "SAME":
            return length * self.strides
        return (length - 1) * self.strides + max(kernel, self.strides)

    def _kernel_channels(self, channels):
        return (self.filters, channels)

    @tf.Module.with_name_scope
    def __call__(self, inputs):
        batch, height, width, _ = _sizes(inputs)
        sides = [
            self._output_length(length, k, "side") for length, k in zip((height, width), self.kernel_size, strict=True)
        ]
        kernel = tf.cast(self.kernel, inputs.dtype)
        shape = [batch, *sides, self.filters]
        return self._finish(tf.nn.conv2d_transpose(inputs, kernel, shape, self.strides, self.padding))


class BatchNorm(Layer):
    """activation(scale * (inputs - mean) / sqrt(variance + epsilon) + offset), per channel, with the fused kernel.

    In training, mean and variance are the batch's, and the moving ones follow:
    moving = momentum * moving + (1 - momentum) * batch's, where the variance is the unbiased estimate, as the fused
    kernel gives it; `update_statistics=False` leaves them as they are. Otherwise they are the moving ones, so that a
    row's answer does not depend on its batch.
    Ioffe and Szegedy 2015, arXiv 1502.03167, algorithm 1. Inputs [N, C] or [N, H, W, C].

    Under `tf.distribute` each replica normalizes with its own rows' statistics; what is saved is the replicas' mean.
    Saved in checkpoints: `moving_mean`, `moving_variance`, and `scale` and `offset` if asked for; float32 [C] each.
    """

    call_arguments = ("is_training", "update_statistics")

    def __init__(self, momentum=0.99, epsilon=1e-3, scale=True, offset=True, activation=None, name="batch_norm"):
        super().__init__(name)
        if not 0 <= momentum <= 1:
            raise ValueError(f"{name}: momentum is {momentum!r}, but must be between 0 and 1.")
        if not epsilon > 0:
            raise ValueError(f"{name}: epsilon is {epsilon!r}, but must be greater than 0.")
        self.momentum, self.epsilon = momentum, epsilon
        self.use_scale, self.use_offset, self.activation = scale, offset, activation

    def _create(self, input_shape, seed):
        del seed
        if len(input_shape) != 2:
            self._require_rank(input_shape, 4, "[batch, height, width, channels], or [batch, channels]")
        channels = input_shape[-1:]

        def statistic(value, name):
            return tf.Variable(
                value,
                trainable=False,
                name=name,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.MEAN,
            )

        self.moving_mean = statistic(tf.zeros(channels), "moving_mean")
        self.moving_variance = statistic(tf.ones(channels), "moving_variance")
        if self.use_scale:
            self.scale = tf.Variable(tf.ones(channels), name="scale")
        if self.use_offset:
            self.offset = tf.Variable(tf.zeros(channels), name="offset")
        return input_shape

    @tf.Module.with_name_scope
    def __call__(self, inputs, is_training, update_statistics=True):
        shape = self.moving_mean.shape
        x = inputs if inputs.shape.rank == 4 else inputs[:, tf.newaxis, tf.newaxis, :]
        statistics = {}
        if not is_training:
            statistics = dict(
                mean=tf.convert_to_tensor(self.moving_mean),
                variance=tf.convert_to_tensor(self.moving_variance),
            )
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x,
            scale=tf.convert_to_tensor(self.scale) if self.use_scale else tf.ones(shape),
            offset=tf.convert_to_tensor(self.offset) if self.use_offset else tf.zeros(shape),
            epsilon=self.epsilon,
            is_training=is_training,
            **statistics,
        )
        if is_training and update_statistics:
            self.moving_mean.assign_sub((1 - self.momentum) * (self.moving_mean - mean))
            self.moving_variance.assign_sub((1 - self.momentum) * (self.moving_variance - variance))
        outputs = outputs if inputs.shape.rank == 4 else outputs[:, 0, 0, :]
        return self.activation(outputs) if self.activation else outputs


class Dropout(Layer):
    """In training, zeroes each element with probability `rate` and scales the others by 1 / (1 - rate).

    The mask is drawn from the step's seed and this layer's own number, for the global batch. Srivastava et al. 2014,
    JMLR 15; inverted scaling, so that nothing happens outside of training.
    """

    call_arguments = ("is_training", "seed")

    def __init__(self, rate, name="dropout"):
        super().__init__(name)
        if not 0 <= rate < 1:
            raise ValueError(f"{name}: rate is {rate!r}, but must be at least 0 and less than 1.")
        self.rate = rate

    def _create(self, input_shape, seed):
        # Two dropout layers must not draw the same mask: mix the layer's own seed into the step's.
        self._stream = seed
        return input_shape

    @tf.Module.with_name_scope
    def __call__(self, inputs, is_training, seed):
        if not is_training or self.rate == 0:
            return inputs
        if seed is None:
            raise ValueError(f"{self.name}: seed is None, but must be the step's seed, int64 [2], in training.")
        seed = tf.bitwise.bitwise_xor(seed, tf.constant([self._stream, 0], tf.int64))
        keep = random.of_global_batch(random.keep_mask(self.rate), _sizes(inputs), seed)
        return tf.where(keep, inputs * (1 / (1 - self.rate)), tf.zeros([], inputs.dtype))


class _Pool2D(Layer):
    """What both kinds of pooling share; see the subclasses."""

    def __init__(self, pool_size=2, strides=None, padding="VALID", name="pool"):
        super().__init__(name)
        strides = pool_size if strides is None else strides
        _require_positive(name, pool_size=pool_size, strides=strides)
        _check_padding(name, padding)
        self.pool_size, self.strides, self.padding = pool_size, strides, padding

    def _create(self, input_shape, seed):
        del seed
        self._require_rank(input_shape, 4, "[batch, height, width, channels]")
        sides = (
            _windows(self.name, axis, length, self.pool_size, self.strides, self.padding)
            for axis, length in zip(("height", "width"), input_shape[1:3], strict=True)
        )
        return (input_shape[0], *sides, input_shape[3])


class MaxPool2D(_Pool2D):
    """The largest of each window: [N, H, W, C] -> [N, H', W', C]; strides equal the window by default."""

    def __init__(self, *arguments, name="max_pool", **options):
        super().__init__(*arguments, name=name, **options)

    @tf.Module.with_name_scope
    def __call__(self, inputs):
        return tf.nn.max_pool2d(inputs, self.pool_size, self.strides, self.padding)


class AvgPool2D(_Pool2D):
    """The mean of each window: [N, H, W, C] -> [N, H', W', C]; strides equal the window by default.

    With SAME padding a window at the edge is the mean of those of its pixels that lie inside.
    """

    def __init__(self, *arguments, name="avg_pool", **options):
        super().__init__(*arguments, name=name, **options)

    @tf.Module.with_name_scope
    def __call__(self, inputs):
        return tf.nn.avg_pool2d(inputs, self.pool_size, self.strides, self.padding)


class GlobalAvgPool2D(Layer):
    """The mean over all places: [N, H, W, C] -> [N, C]."""

    def __init__(self, name="global_avg_pool"):
        super().__init__(name)

    def _create(self, input_shape, seed):
        del seed
        self._require_rank(input_shape, 4, "[batch, height, width, channels]")
        return (input_shape[0], input_shape[3])

    @tf.Module.with_name_scope
    def __call__(self, inputs):
        return tf.reduce_mean(inputs, axis=[1, 2])


class UpSampling2D(Layer):
    """Each pixel repeated `size` x `size` times (nearest neighbour): [N, H, W, C] -> [N, size H, size W, C]."""

    def __init__(self, size=2, name="up_sampling"):
        super().__init__(name)
        _require_positive(name, size=size)
        self.size = size

    def _create(self, input_shape, seed):
        del seed
        self._require_rank(input_shape, 4, "[batch, height, width, channels]")
        batch, height, width, channels = input_shape
        return (batch, height and height * self.size, width and width * self.size, channels)

    @tf.Module.with_name_scope
    def __call__(self, inputs):
        return _repeated(inputs, self.size)


def _repeated(inputs, size):
    """Each pixel `size` x `size` times."""

    @tf.custom_gradient
    def repeat(x):
        n, h, w, c = _sizes(x)
        rows = tf.broadcast_to(x[:, :, tf.newaxis, :, tf.newaxis, :], [n, h, size, w, size, c])

        def back(gradients):
            # The sums over windows, which is what a broadcast's own gradient computes ten times as slowly.
            return size * size * tf.nn.avg_pool2d(gradients, size, size, "VALID")

        return tf.reshape(rows, [n, h * size, w * size, c]), back

    return repeat(inputs)


class Flatten(Layer):
    """[N, ...] -> [N, product of the rest], in row-major order."""

    def __init__(self, name="flatten"):
        super().__init__(name)

    def _create(self, input_shape, seed):
        del seed
        if None in input_shape[1:]:
            raise ValueError(f"{self.name} got inputs of shape {list(input_shape)}, but only the batch may be unknown.")
        return (input_shape[0], math.prod(input_shape[1:]))

    @tf.Module.with_name_scope
    def __call__(self, inputs):
        return tf.reshape(inputs, [-1, math.prod(inputs.shape[1:])])


class Reshape(Layer):
    """[N, ...] -> [N, *shape], in row-major order."""

    def __init__(self, shape, name="reshape"):
        super().__init__(name)
        _require_positive(name, **{f"shape[{i}]": size for i, size in enumerate(shape)})
        self.shape = list(shape)

    def _create(self, input_shape, seed):
        del seed
        if None in input_shape[1:] or math.prod(input_shape[1:]) != math.prod(self.shape):
            raise ValueError(
                f"{self.name} got inputs of shape {list(input_shape)}, but needs {math.prod(self.shape)} elements a "
                f"row for the shape {list(self.shape)}."
            )
        return (input_shape[0], *self.shape)

    @tf.Module.with_name_scope
    def __call__(self, inputs):
        return tf.reshape(inputs, [-1, *self.shape])


class SpectralNorm(Layer):
    """A `Dense` or `Conv2D` layer whose kernel is divided by its largest singular value, as an [.., out] matrix.

    The singular value comes from one power iteration for each call in training with `update_statistics`, which goes on
    from the last one's vector. Miyato et al. 2018, arXiv 1802.05957, algorithm 1.

    Saved in checkpoints: the layer's own variables, and `right`, the singular vector, float32 [1, out].
    """

    call_arguments = ("is_training", "update_statistics")

    def __init__(self, layer):
        super().__init__(layer.name)
        self.layer = layer

    def _create(self, input_shape, seed):
        shape = self.layer.create(input_shape, seed)
        start = random.normal([1, self.layer.kernel.shape[-1]], tf.constant([random.fold(seed, "right"), 0], tf.int64))
        self.right = tf.Variable(
            tf.math.l2_normalize(start),
            trainable=False,
            name="right",
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        return shape

    @tf.Module.with_name_scope
    def __call__(self, inputs, is_training, update_statistics=True):
        kernel = tf.convert_to_tensor(self.layer.kernel)
        matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
        left = tf.math.l2_normalize(tf.matmul(self.right, matrix, transpose_b=True))
        right = tf.math.l2_normalize(tf.matmul(left, matrix))
        left, right = tf.stop_gradient(left), tf.stop_gradient(right)
        if is_training and update_statistics:
            self.right.assign(right)
        largest = tf.matmul(tf.matmul(left, matrix), right, transpose_b=True)
        return self.layer.compute(inputs, kernel / largest[0, 0])


def _require_unique_names(name, kind, layers):
    names = [layer.name for layer in layers]
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise ValueError(f"{name}: {kind} name {repeated[0]!r} is used twice, but must be unique.")


def _call(layer, inputs, **arguments):
    """Calls a layer with those of the arguments that it names."""
    return layer(inputs, **{name: arguments[name] for name in layer.call_arguments})


class Sequential(Layer):
    """Layers one after the other, each given what its `call_arguments` name.

    Args:
      layers: `Layer`s.
      name: the scope of their variables.
    """

    call_arguments = ("is_training", "seed", "update_statistics")

    def __init__(self, layers, name="sequential"):
        super().__init__(name)
        self.layers = list(layers)
        _require_unique_names(name, "layer", self.layers)

    def _create(self, input_shape, seed):
        shape = input_shape
        for layer in self.layers:
            shape = layer.create(shape, random.fold(seed, layer.name))
        return shape

    @tf.Module.with_name_scope
    def __call__(self, inputs, is_training=False, seed=None, update_statistics=True):
        """Args: inputs; is_training, update_statistics: Python bools; seed: int64 [2], for dropout in training."""
        for layer in self.layers:
            inputs = _call(layer, inputs, is_training=is_training, seed=seed, update_statistics=update_statistics)
        return inputs


class Branches(Layer):
    """The same inputs through several layers side by side, their outputs joined along the last axis.

    Args:
      branches: `Layer`s whose outputs differ in the last axis only.
      name: the scope of their variables.
    """

    call_arguments = ("is_training", "seed", "update_statistics")

    def __init__(self, branches, name="branches"):
        super().__init__(name)
        self.branches = list(branches)
        _require_unique_names(name, "branch", self.branches)

    def _create(self, input_shape, seed):
        shapes = [branch.create(input_shape, random.fold(seed, branch.name)) for branch in self.branches]
        if len({shape[:-1] for shape in shapes}) != 1:
            raise ValueError(
                f"{self.name}: branches give {[list(shape) for shape in shapes]}, but may differ in the last axis only."
            )
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    @tf.Module.with_name_scope
    def __call__(self, inputs, is_training=False, seed=None, update_statistics=True):
        """Args: as `Sequential`."""
        arguments = dict(is_training=is_training, seed=seed, update_statistics=update_statistics)
        return tf.concat([_call(branch, inputs, **arguments) for branch in self.branches], axis=-1)


class Skip(Branches):
    """Inputs, and after them in the channels what the layers make of them: [N, H, W, C] -> [N, H, W, C + C'].

    The layers must give back the height and width that they were given. One inside another, they are a U-Net
    (Ronneberger et al. 2015, arXiv 1505.04597).
    """

    def __init__(self, layers, name="skip"):
        super().__init__([Sequential([], "inputs"), Sequential(layers, "layers")], name)
