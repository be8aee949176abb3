"""All layers and optimizers, for the tests of what all of them have in common.

A new layer or optimizer is tested by one more line here; `test_registry_is_complete` and its like fail without it.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf2cases import nn

# The seed of a training step, for the layers that take one; a constant array, since no test module may run an op
# while it is imported.
STEP_SEED = np.array([11, 3], np.int64)


@dataclasses.dataclass(frozen=True)
class LayerCase:
    """A layer to be tested.

    Attributes:
      name: of the test.
      make: makes the layer, without its variables.
      shape: of one example.
      variables: their names, in the order of their making.
    """

    name: str
    make: Callable
    shape: tuple
    variables: tuple = ()

    def create(self, seed=0, batch=None):
        layer = self.make()
        layer.create((batch, *self.shape), seed)
        return layer

    def inputs(self, batch=4, dtype=np.float32):
        values = np.random.default_rng(5).standard_normal((batch, *self.shape))
        return tf.constant(values.astype(np.float32), dtype)


def call(layer, inputs, is_training=False, seed=STEP_SEED):
    """Calls a layer with those arguments that it takes."""
    arguments = {"is_training": is_training, "seed": tf.convert_to_tensor(seed), "update_statistics": True}
    return layer(inputs, **{name: arguments[name] for name in layer.call_arguments})


def has(layer, kind):
    """Whether a layer is, or contains, one of a kind."""
    return any(isinstance(part, kind) for part in (layer, *layer.submodules))


def _bias(shape, seed):
    """Not zero, so that a bias that is left out is noticed."""
    return nn.initializers.truncated_normal(0.5)(shape, seed)


def _network():
    return nn.Sequential(
        [
            nn.Conv2D(3, 3, activation=tf.nn.tanh, name="conv"),
            nn.BatchNorm(),
            nn.Dropout(0.25),
            nn.Sequential([nn.MaxPool2D(), nn.Conv2DTranspose(2, 2, 2, use_bias=False, name="up")], name="block"),
            nn.Flatten(),
            nn.Dense(2, name="logits"),
        ],
        name="network",
    )


def _branches():
    return nn.Branches(
        [
            nn.Conv2D(2, 1, activation=tf.nn.tanh, name="conv"),
            nn.Sequential([nn.AvgPool2D(3, 1, "SAME"), nn.Dropout(0.25), nn.BatchNorm()], name="pooled"),
        ]
    )


_BN = ("moving_mean", "moving_variance")

LAYERS = [
    LayerCase("dense", lambda: nn.Dense(3, tf.nn.tanh, bias_init=_bias), (5,), ("dense/kernel", "dense/bias")),
    LayerCase("dense_without_bias", lambda: nn.Dense(3, use_bias=False, name="d"), (5,), ("d/kernel",)),
    LayerCase("dense_of_rank_3", lambda: nn.Dense(2, bias_init=_bias), (3, 4), ("dense/kernel", "dense/bias")),
    LayerCase(
        "conv_same",
        lambda: nn.Conv2D(3, 3, activation=tf.nn.tanh, bias_init=_bias),
        (6, 5, 2),
        ("conv2d/kernel", "conv2d/bias"),
    ),
    LayerCase("conv_same_strided", lambda: nn.Conv2D(3, 4, 2, use_bias=False), (7, 6, 2), ("conv2d/kernel",)),
    LayerCase(
        "conv_valid_strided_oblong",
        lambda: nn.Conv2D(3, (3, 2), 2, "VALID", bias_init=_bias, name="c"),
        (8, 7, 2),
        ("c/kernel", "c/bias"),
    ),
    LayerCase(
        "transposed_same",
        lambda: nn.Conv2DTranspose(3, 5, 2, activation=tf.nn.tanh, bias_init=_bias),
        (4, 3, 2),
        ("conv2d_transpose/kernel", "conv2d_transpose/bias"),
    ),
    LayerCase(
        "transposed_valid",
        lambda: nn.Conv2DTranspose(3, 3, 1, "VALID", use_bias=False),
        (4, 3, 2),
        ("conv2d_transpose/kernel",),
    ),
    LayerCase(
        "transposed_valid_strided",
        lambda: nn.Conv2DTranspose(3, (4, 3), 2, "VALID", use_bias=False),
        (4, 3, 2),
        ("conv2d_transpose/kernel",),
    ),
    LayerCase(
        "transposed_with_gaps",
        lambda: nn.Conv2DTranspose(3, 2, 3, "VALID", bias_init=_bias),
        (2, 3, 2),
        ("conv2d_transpose/kernel", "conv2d_transpose/bias"),
    ),
    LayerCase(
        "batch_norm",
        lambda: nn.BatchNorm(momentum=0.9, activation=tf.nn.tanh),
        (4, 3, 2),
        tuple(f"batch_norm/{v}" for v in (*_BN, "scale", "offset")),
    ),
    LayerCase(
        "batch_norm_of_rank_2",
        lambda: nn.BatchNorm(scale=False, name="n"),
        (3,),
        tuple(f"n/{v}" for v in (*_BN, "offset")),
    ),
    LayerCase(
        "batch_norm_without_offset",
        lambda: nn.BatchNorm(offset=False, epsilon=1e-5, name="n"),
        (3,),
        tuple(f"n/{v}" for v in (*_BN, "scale")),
    ),
    LayerCase("dropout", lambda: nn.Dropout(0.4), (6, 5)),
    LayerCase("max_pool", lambda: nn.MaxPool2D(), (5, 6, 2)),
    LayerCase("max_pool_same", lambda: nn.MaxPool2D(3, 2, "SAME"), (5, 6, 2)),
    LayerCase("avg_pool", lambda: nn.AvgPool2D(2, 1), (5, 6, 2)),
    LayerCase("avg_pool_same", lambda: nn.AvgPool2D(3, 2, "SAME"), (5, 6, 2)),
    LayerCase("global_avg_pool", lambda: nn.GlobalAvgPool2D(), (3, 4, 2)),
    LayerCase("up_sampling", lambda: nn.UpSampling2D(3), (2, 3, 2)),
    LayerCase("flatten", lambda: nn.Flatten(), (2, 3, 4)),
    LayerCase("reshape", lambda: nn.Reshape([3, 2, 4]), (6, 4)),
    LayerCase(
        "spectral_norm",
        # With one filter the power iteration is at its end after a step, so that every call has the same answer.
        lambda: nn.SpectralNorm(nn.Conv2D(1, 3, 2, bias_init=_bias, name="c")),
        (6, 4, 2),
        ("c/c/kernel", "c/c/bias", "c/right"),
    ),
    LayerCase(
        "skip",
        lambda: nn.Skip([nn.Conv2D(3, 3, 2, bias_init=_bias, name="down"), nn.UpSampling2D(), nn.Dropout(0.3)]),
        (4, 6, 2),
        ("skip/layers/down/kernel", "skip/layers/down/bias"),
    ),
    LayerCase(
        "sequential",
        _network,
        (6, 4, 2),
        (
            "network/conv/kernel",
            "network/conv/bias",
            *(f"network/batch_norm/{v}" for v in (*_BN, "scale", "offset")),
            "network/block/up/kernel",
            "network/logits/kernel",
            "network/logits/bias",
        ),
    ),
    LayerCase(
        "branches",
        _branches,
        (4, 5, 2),
        (
            "branches/conv/kernel",
            "branches/conv/bias",
            *(f"branches/pooled/batch_norm/{v}" for v in (*_BN, "scale", "offset")),
        ),
    ),
]


@dataclasses.dataclass(frozen=True)
class OptimizerCase:
    """An optimizer to be tested.

    Attributes:
      name: of the test.
      kind: the class.
      options: its hyper-parameters, those that Keras has too.
    """

    name: str
    kind: type
    options: dict

    def make(self, variables, learning_rate=0.05, **more):
        return self.kind(variables, learning_rate, **self.options, **more)


def _optimizer(kind, **options):
    values = "-".join(f"{k}={v}" for k, v in options.items())
    return OptimizerCase(f"{kind.__name__}-{values}".lower(), kind, options)


OPTIMIZERS = [
    _optimizer(nn.SGD),
    *(_optimizer(nn.SGD, momentum=m, nesterov=n) for m in (0.5, 0.9) for n in (False, True)),
    *(
        _optimizer(nn.Adam, beta1=b1, beta2=b2, epsilon=e)
        for b1 in (0.9, 0.5, 0.0)
        for b2 in (0.999, 0.9)
        for e in (1e-7, 1e-3)
    ),
    *(
        _optimizer(nn.RMSprop, rho=r, momentum=m, epsilon=e)
        for r in (0.9, 0.5)
        for m in (0.0, 0.9)
        for e in (1e-7, 1e-3)
    ),
    *(_optimizer(nn.Adadelta, rho=r, epsilon=e) for r in (0.95, 0.5) for e in (1e-7, 1e-3)),
]

# One of each kind, with every slot in use.
EACH_OPTIMIZER = [
    _optimizer(nn.SGD),
    _optimizer(nn.SGD, momentum=0.9, nesterov=True),
    _optimizer(nn.Adam),
    _optimizer(nn.RMSprop),
    _optimizer(nn.RMSprop, momentum=0.9),
    _optimizer(nn.Adadelta),
]


def names(cases):
    return [case.name for case in cases]
