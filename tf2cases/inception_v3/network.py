"""The network, from 299x299 pictures to 2,048 features to classes.

Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision", arXiv 1512.00567, table 1, as its
authors published it. Their network differs from the table in the stem: the fourth convolution is 1x1 (the table: 3x3),
the fifth has stride 1 (the table: 2) and a pool after it (the table: a sixth convolution). Names are those of the graph
of 2015, the order is that of the table and of Keras.
"""

import collections
import typing
from collections.abc import Callable
from typing import Any, Literal

import tensorflow as tf

from tf2cases import nn

IMAGE_SHAPE = (299, 299, 3)
FEATURES = 2048
_EPSILON = 1e-3


class Conv(typing.NamedTuple):
    """A unit of the table: convolution, batch norm, relu."""

    filters: int
    kernel_size: int | tuple
    strides: int = 1
    padding: str = "SAME"


class Pool(typing.NamedTuple):
    """A 3x3 pool; "max" or "average"."""

    function: str
    strides: int = 1
    padding: str = "SAME"


class Mixed(typing.NamedTuple):
    """Parallel branches, each a list of consecutive parts."""

    branches: tuple


_KINDS = {Conv: "conv", Pool: "pool", Mixed: "mixed", list: "tower"}


def _mixed(*branches):
    return Mixed(branches)


def _table(last_pool):
    """The network from picture to feature map. Figure numbers are the paper's."""
    average, reduction = Pool("average"), Pool("max", 2, "VALID")
    fork = _mixed([Conv(384, (1, 3))], [Conv(384, (3, 1))])

    def inception_35(pool_filters):  # figure 5
        return _mixed(
            [Conv(64, 1)],
            [Conv(48, 1), Conv(64, 5)],
            [Conv(64, 1), Conv(96, 3), Conv(96, 3)],
            [average, Conv(pool_filters, 1)],
        )

    def inception_17(n):  # figure 6
        return _mixed(
            [Conv(192, 1)],
            [Conv(n, 1), Conv(n, (1, 7)), Conv(192, (7, 1))],
            [Conv(n, 1), Conv(n, (7, 1)), Conv(n, (1, 7)), Conv(n, (7, 1)), Conv(192, (1, 7))],
            [average, Conv(192, 1)],
        )

    def inception_8(pool):  # figure 7
        return _mixed([Conv(320, 1)], [Conv(384, 1), fork], [Conv(448, 1), Conv(384, 3), fork], [pool, Conv(192, 1)])

    return [
        Conv(32, 3, 2, "VALID"),
        Conv(32, 3, 1, "VALID"),
        Conv(64, 3),
        reduction,
        Conv(80, 1),
        Conv(192, 3, 1, "VALID"),
        reduction,
        inception_35(32),
        inception_35(64),
        inception_35(64),
        # Figure 10.
        _mixed([Conv(384, 3, 2, "VALID")], [Conv(64, 1), Conv(96, 3), Conv(96, 3, 2, "VALID")], [reduction]),
        inception_17(128),
        inception_17(160),
        inception_17(160),
        inception_17(192),
        _mixed(
            [Conv(192, 1), Conv(320, 3, 2, "VALID")],
            [Conv(192, 1), Conv(192, (1, 7)), Conv(192, (7, 1)), Conv(192, 3, 2, "VALID")],
            [reduction],
        ),
        inception_8(average),
        inception_8(Pool(last_pool)),
    ]


class ConvUnit(nn.Layer):
    """Convolution without bias, batch norm without scale, relu: [N, H, W, in] -> [N, H', W', filters].

    Folded, it is a convolution with bias and relu: the same function with fixed statistics, in fewer steps.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple,
        strides: int = 1,
        padding: Literal["SAME", "VALID"] = "SAME",
        folded: bool = False,
        kernel_init: Callable = nn.initializers.he_normal,
        name: str = "conv",
    ):
        super().__init__(name)
        self.filters, self.kernel_size, self.strides, self.padding = filters, kernel_size, strides, padding
        self.folded, self.kernel_init = folded, kernel_init
        activation = tf.nn.relu if folded else None
        self.conv = nn.Conv2D(filters, kernel_size, strides, padding, activation, folded, kernel_init, name="conv2d")
        self.norm: Any = None if folded else nn.BatchNorm(0.99, _EPSILON, use_scale=False, activation=tf.nn.relu)

    def _create(self, input_shape, seed):
        shape = self.conv.create(input_shape, nn.random.fold(seed, "conv2d"))
        return self.norm.create(shape, 0) if self.norm else shape

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor, is_training: bool = False) -> tf.Tensor:
        outputs = self.conv(inputs)
        return self.norm(outputs, is_training) if self.norm else outputs


class Network(nn.Layer):
    """Inception-v3: [N, 299, 299, 3], scaled as its weights require -> logits [N, classes].

    Attributes:
      blocks: the layers from picture to feature map, in order: `conv`, `conv_1`, `conv_2`, `pool`, `conv_3`, `conv_4`,
        `pool_1`, `mixed`, `mixed_1` to `mixed_10`.
      logits: the last layer, or None.

    Saved in checkpoints: for each of the 94 units `kernel`, `offset`, `moving_mean` and `moving_variance`, or, folded,
    `kernel` and `bias`; `kernel` and `bias` of the last layer.
    """

    def __init__(
        self,
        classes: int,
        last_pool: str = "average",
        folded: bool = False,
        kernel_init: Callable = nn.initializers.he_normal,
        name: str = "inception_v3",
    ):
        """Args:
        classes: number of classes; 0 for a network that ends with the features.
        last_pool: "average" or "max", the pool in the last block: the graph of 2015 has a max pool.
        folded: whether units are `folded`, for inference; see `fold`.
        kernel_init: initializer of the kernels; zeros save time if other values are assigned later.
        """
        super().__init__(name)
        if last_pool not in ("average", "max"):
            raise ValueError(f"{name}: last_pool is {last_pool!r}, but must be 'average' or 'max'.")
        self.classes, self.last_pool, self.folded, self.kernel_init = classes, last_pool, folded, kernel_init
        self.blocks = [
            _make(part, name, dict(folded=folded, kernel_init=kernel_init)) for name, part in _named(_table(last_pool))
        ]
        self.pool = nn.GlobalAvgPool2D(name="pool_3")
        self.logits: Any = nn.Dense(classes, kernel_init=kernel_init, name="logits") if classes else None

    def _create(self, input_shape, seed):
        shape = input_shape
        for block in self.blocks:
            shape = block.create(shape, nn.random.fold(seed, block.name))
        shape = self.pool.create(shape, 0)
        return self.logits.create(shape, nn.random.fold(seed, "logits")) if self.logits else shape

    @tf.Module.with_name_scope
    def features(self, images: tf.Tensor, training_blocks: int = 0) -> tf.Tensor:
        """The pooled features.

        Args:
          images: float [N, 299, 299, 3].
          training_blocks: number of last `blocks` whose batch norm uses the batch's statistics and updates its own; 0
            for inference, and for fine-tuning with frozen statistics.

        Returns:
          float [N, 2048], in the dtype of `images`.
        """
        first = len(self.blocks) - training_blocks
        for i, block in enumerate(self.blocks):
            images = nn.call(block, images, is_training=i >= first)
        return self.pool(images)

    @tf.Module.with_name_scope
    def __call__(self, images: tf.Tensor, is_training: bool = False) -> tf.Tensor:
        features = self.features(images, len(self.blocks) if is_training else 0)
        return self.logits(features) if self.logits else features

    def last_variables(self, blocks: int) -> list[tf.Variable]:
        """The variables that fine-tuning updates: the trainable ones of the last `blocks` blocks and the last layer.

        Raises:
          ValueError: there are fewer blocks.
        """
        if not 0 <= blocks <= len(self.blocks):
            raise ValueError(f"blocks is {blocks}, but must be between 0 and {len(self.blocks)}.")
        layers = [*self.blocks[len(self.blocks) - blocks :], *([self.logits] if self.logits else [])]
        return [variable for layer in layers for variable in layer.trainable_variables]

    def units(self) -> dict[str, ConvUnit]:
        """{path: ConvUnit} of the 94 units, in order; a path is like `conv_4` or `mixed_9/tower_1/mixed/conv`."""
        return dict(unit for block in self.blocks for unit in _units(block))

    def values(self) -> dict[str, tf.Variable]:
        """{name: variable} of an unfolded network: PATH/kernel, PATH/offset, PATH/moving_mean and
        PATH/moving_variance of each unit, logits/kernel and logits/bias. Readers of weights use these names."""
        named = {}
        for path, unit in self.units().items():
            named[f"{path}/kernel"] = unit.conv.kernel
            for name in ("offset", "moving_mean", "moving_variance"):
                named[f"{path}/{name}"] = getattr(unit.norm, name)
        if self.logits:
            named |= {"logits/kernel": self.logits.kernel, "logits/bias": self.logits.bias}
        return named

    def fold(self) -> "Network":
        """A folded copy for inference, with the current values of the variables.

        With scale = 1 / sqrt(moving_variance + epsilon), the kernel becomes kernel * scale and the bias
        offset - moving_mean * scale.
        """
        copy = Network(self.classes, self.last_pool, folded=True, kernel_init=nn.initializers.zeros, name=self.name)
        copy.create((None, *IMAGE_SHAPE), 0)
        for unit, folded in zip(self.units().values(), copy.units().values(), strict=True):
            scale = tf.math.rsqrt(unit.norm.moving_variance + _EPSILON)
            folded.conv.kernel.assign(unit.conv.kernel * scale)
            folded.conv.bias.assign(unit.norm.offset - unit.norm.moving_mean * scale)
        if self.logits:
            copy.logits.kernel.assign(self.logits.kernel)
            copy.logits.bias.assign(self.logits.bias)
        return copy


def _named(parts):
    """[(name, part)], numbered separately for each kind: conv, conv_1, ..., pool, ...; a branch is a `tower`."""
    counts, named = collections.Counter(), []
    for part in parts:
        kind = _KINDS[type(part)]
        named.append((f"{kind}_{counts[kind]}" if counts[kind] else kind, part))
        counts[kind] += 1
    return named


def _make(part, name, options):
    """Creates the layer of a part of the table; `options` are passed to its units."""
    if isinstance(part, Conv):
        return ConvUnit(*part, **options, name=name)
    if isinstance(part, Pool):
        return {"max": nn.MaxPool2D, "average": nn.AvgPool2D}[part.function](3, part.strides, part.padding, name=name)
    if isinstance(part, Mixed):
        # A branch of one part is not wrapped in a tower.
        branches = _named([branch[0] if len(branch) == 1 else branch for branch in part.branches])
        return nn.Branches([_make(branch, inner, options) for inner, branch in branches], name=name)
    return nn.Sequential([_make(inner, inner_name, options) for inner_name, inner in _named(part)], name=name)


def _units(layer):
    """[(path, unit)] of a layer."""
    if isinstance(layer, ConvUnit):
        return [(layer.name, layer)]
    parts = getattr(layer, "branches", None) or getattr(layer, "layers", ())
    return [(f"{layer.name}/{path}", unit) for part in parts for path, unit in _units(part)]
