"""What tests of layers share: random values, and layers with the weights of Keras."""

import numpy as np

CLOSE = dict(rtol=1e-5, atol=1e-5)
# Of a step.
SEED = [7, 1]


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def with_keras_weights(layer, referee, x):
    """Builds both for `x`, with the same random weights, and returns them."""
    layer.create((None, *x.shape[1:]), 0)
    referee.build((None, *x.shape[1:]))
    layer.kernel.assign(draw(*layer.kernel.shape, seed=1))
    layer.bias.assign(draw(*layer.bias.shape, seed=2))
    referee.set_weights([layer.kernel.numpy(), layer.bias.numpy()])
    return layer, referee
