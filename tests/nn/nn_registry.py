"""All layers and optimizers, for the tests of what all of them have in common.

A new layer or optimizer is tested by one more line here; `test_registry_is_complete` and its like fail without it.
"""

import dataclasses

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
      source: the call that makes the layer, without its variables, as its `repr` has it.
      shape: of one example.
      variables: their names, in the order of their making.
    """

    name: str
    source: str
    shape: tuple
    variables: tuple = ()

    def make(self):
        return evaluate(self.source)

    def create(self, seed=0, batch=None):
        layer = self.make()
        layer.create((batch, *self.shape), seed)
        return layer

    def inputs(self, batch=4, dtype=np.float32):
        values = np.random.default_rng(5).standard_normal((batch, *self.shape))
        return tf.constant(values.astype(np.float32), dtype)


def evaluate(source):
    """The layer that a `repr` describes."""
    return eval(source, {**vars(nn), **vars(nn.initializers), "tanh": tf.nn.tanh})


def call(layer, inputs, is_training=False, seed=STEP_SEED):
    """Calls a layer with those arguments that it takes."""
    return nn.call(layer, inputs, is_training, tf.convert_to_tensor(seed), update_statistics=True)


def has(layer, kind):
    """Whether a layer is, or contains, one of a kind."""
    return any(isinstance(part, kind) for part in (layer, *layer.submodules))


_BN = ("moving_mean", "moving_variance", "scale", "offset")

LAYERS = [
    LayerCase("dense", "Dense(3, activation=tanh)", (5,), ("dense/kernel", "dense/bias")),
    LayerCase("dense_of_rank_3", "Dense(2, kernel_init=he_normal, name='d')", (3, 4), ("d/kernel", "d/bias")),
    LayerCase("conv_same", "Conv2D(3, (3, 3), activation=tanh)", (6, 5, 2), ("conv2d/kernel", "conv2d/bias")),
    LayerCase("conv_same_strided", "Conv2D(3, (4, 4), strides=2, use_bias=False)", (7, 6, 2), ("conv2d/kernel",)),
    LayerCase(
        "conv_valid_strided_oblong",
        "Conv2D(3, (3, 2), strides=2, padding='VALID', kernel_init=truncated_normal(0.5), name='c')",
        (8, 7, 2),
        ("c/kernel", "c/bias"),
    ),
    LayerCase(
        "transposed_same",
        "Conv2DTranspose(3, (5, 5), strides=2, activation=tanh)",
        (4, 3, 2),
        ("conv2d_transpose/kernel", "conv2d_transpose/bias"),
    ),
    LayerCase(
        "transposed_valid",
        "Conv2DTranspose(3, (3, 3), padding='VALID', use_bias=False)",
        (4, 3, 2),
        ("conv2d_transpose/kernel",),
    ),
    LayerCase(
        "transposed_valid_strided",
        "Conv2DTranspose(3, (4, 3), strides=2, padding='VALID', use_bias=False)",
        (4, 3, 2),
        ("conv2d_transpose/kernel",),
    ),
    LayerCase(
        "transposed_with_gaps",
        "Conv2DTranspose(3, (2, 2), strides=3, padding='VALID')",
        (2, 3, 2),
        ("conv2d_transpose/kernel", "conv2d_transpose/bias"),
    ),
    LayerCase(
        "batch_norm", "BatchNorm(momentum=0.9, activation=tanh)", (4, 3, 2), tuple(f"batch_norm/{v}" for v in _BN)
    ),
    LayerCase(
        "batch_norm_without_scale",
        "BatchNorm(epsilon=1e-05, use_scale=False, name='n')",
        (4, 3, 2),
        tuple(f"n/{v}" for v in _BN if v != "scale"),
    ),
    LayerCase("dropout", "Dropout(0.4)", (6, 5)),
    LayerCase("max_pool", "MaxPool2D()", (5, 6, 2)),
    LayerCase("max_pool_same", "MaxPool2D(pool_size=3, strides=2, padding='SAME')", (5, 6, 2)),
    LayerCase("avg_pool", "AvgPool2D(strides=1)", (5, 6, 2)),
    LayerCase("avg_pool_same", "AvgPool2D(pool_size=3, strides=2, padding='SAME')", (5, 6, 2)),
    LayerCase("global_avg_pool", "GlobalAvgPool2D()", (3, 4, 2)),
    LayerCase("up_sampling", "UpSampling2D(size=3)", (2, 3, 2)),
    LayerCase("flatten", "Flatten()", (2, 3, 4)),
    LayerCase("reshape", "Reshape([3, 2, 4], name='r')", (6, 4)),
    LayerCase(
        "spectral_norm",
        # With one filter the power iteration is at its end after a step, so that every call has the same answer.
        "SpectralNorm(Conv2D(1, (3, 3), strides=2, name='c'))",
        (6, 4, 2),
        ("c/c/kernel", "c/c/bias", "c/right"),
    ),
    LayerCase(
        "skip",
        "Skip([Conv2D(3, (3, 3), strides=2, name='down'), UpSampling2D(), Dropout(0.3)])",
        (4, 6, 2),
        ("skip/layers/down/kernel", "skip/layers/down/bias"),
    ),
    LayerCase(
        "sequential",
        "Sequential([Conv2D(3, (3, 3), activation=tanh, name='conv'), BatchNorm(), Dropout(0.25), "
        "Sequential([MaxPool2D(), Conv2DTranspose(2, (2, 2), strides=2, use_bias=False, name='up')], name='block'), "
        "Flatten(), Dense(2, name='logits')], name='network')",
        (6, 4, 2),
        (
            "network/conv/kernel",
            "network/conv/bias",
            *(f"network/batch_norm/{v}" for v in _BN),
            "network/block/up/kernel",
            "network/logits/kernel",
            "network/logits/bias",
        ),
    ),
    LayerCase(
        "branches",
        "Branches([Conv2D(2, (1, 1), activation=tanh, name='conv'), "
        "Sequential([AvgPool2D(pool_size=3, strides=1, padding='SAME'), Dropout(0.25), BatchNorm()], name='pooled')])",
        (4, 5, 2),
        ("branches/conv/kernel", "branches/conv/bias", *(f"branches/pooled/batch_norm/{v}" for v in _BN)),
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
    *(
        _optimizer(nn.Adam, beta1=b1, beta2=b2, epsilon=e)
        for b1 in (0.9, 0.5, 0.0)
        for b2 in (0.999, 0.9)
        for e in (1e-7, 1e-3)
    ),
    *(_optimizer(nn.RMSprop, rho=r, epsilon=e) for r in (0.9, 0.5) for e in (1e-7, 1e-3)),
    *(_optimizer(nn.Adadelta, rho=r, epsilon=e) for r in (0.95, 0.5) for e in (1e-7, 1e-3)),
]

# One of each kind.
EACH_OPTIMIZER = [_optimizer(kind) for kind in (nn.SGD, nn.Adam, nn.RMSprop, nn.Adadelta)]


def names(cases):
    return [case.name for case in cases]
