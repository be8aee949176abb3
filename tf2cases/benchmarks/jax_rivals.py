"""The networks that `benchmark training` measures, in JAX: flax and optax, one jitted step that reuses its buffers."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

VERSIONS = {"jax": jax.__version__, "flax": flax.__version__, "optax": optax.__version__}


class _Network(nn.Module):
    dtype: Any

    def dense(self, units: int) -> nn.Dense:
        return nn.Dense(units, dtype=self.dtype)

    def convolution(self, filters: int, padding: str = "VALID") -> nn.Conv:
        return nn.Conv(filters, (3, 3), padding=padding, dtype=self.dtype)


class _MLP(_Network):
    @nn.compact
    def __call__(self, x):
        x = x.reshape(len(x), -1)
        for _ in range(2):
            x = nn.relu(self.dense(512)(x))
        return self.dense(10)(x)


class _CNN(_Network):
    @nn.compact
    def __call__(self, x):
        for filters in (32, 64):
            x = nn.relu(self.convolution(filters)(x))
        x = nn.Dropout(0.25, deterministic=False)(nn.max_pool(x, (2, 2), (2, 2)))
        x = nn.relu(self.dense(128)(x.reshape(len(x), -1)))
        return self.dense(10)(nn.Dropout(0.5, deterministic=False)(x))


class _Captcha(_Network):
    @nn.compact
    def __call__(self, x):
        for filters, is_pooled in ((32, False), (32, True), (64, True)):
            x = nn.relu(self.convolution(filters)(x))
            if is_pooled:
                x = nn.max_pool(x, (2, 2), (2, 2), "SAME")
        x = nn.Dropout(0.25, deterministic=False)(x.reshape(len(x), -1))
        return self.dense(40)(x)


class _Autoencoder(_Network):
    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.max_pool(nn.relu(self.convolution(32, "SAME")(x)), (2, 2), (2, 2))
        for _ in range(2):
            x = nn.relu(self.convolution(32, "SAME")(x))
            x = x.repeat(2, axis=1).repeat(2, axis=2)
        return self.convolution(1, "SAME")(x)


class _VAE(_Network):
    @nn.compact
    def __call__(self, x):
        hidden = nn.relu(self.dense(256)(x))
        mean, log_variance = self.dense(2)(hidden), self.dense(2)(hidden)
        noise = jax.random.normal(self.make_rng("dropout"), mean.shape, mean.dtype)
        z = mean + jnp.exp(log_variance / 2) * noise
        return self.dense(784)(nn.relu(self.dense(256)(z))), mean, log_variance


def _cross_entropy(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), labels).mean()


def _heads(logits, one_hot):
    p = nn.softmax(logits.astype(jnp.float32).reshape(-1, 4, 10)).reshape(-1, 40)
    p = jnp.clip(p, 1e-7, 1 - 1e-7)
    return -jnp.mean(one_hot * jnp.log(p) + (1 - one_hot) * jnp.log1p(-p))


def _pixels(logits, clean):
    return optax.sigmoid_binary_cross_entropy(logits.astype(jnp.float32), clean).mean()


def _elbo(outputs, x):
    logits, mean, log_variance = (value.astype(jnp.float32) for value in outputs)
    reconstruction = optax.sigmoid_binary_cross_entropy(logits, x).sum()
    kl = -0.5 * jnp.sum(1 + log_variance - mean**2 - jnp.exp(log_variance))
    return (reconstruction + kl) / len(x)


_ADAM = functools.partial(optax.adam, 0.001, eps=1e-7)
# {case: (network, loss of outputs and targets, optimizer)}.
_MADE: dict[str, tuple[type[_Network], Callable, Callable]] = {
    "mnist_mlp": (_MLP, _cross_entropy, _ADAM),
    "mnist_cnn": (_CNN, _cross_entropy, _ADAM),
    "captcha": (_Captcha, _heads, _ADAM),
    "autoencoder": (_Autoencoder, _pixels, functools.partial(optax.adadelta, 1.0, rho=0.95, eps=1e-7)),
    "vae": (_VAE, _elbo, functools.partial(optax.rmsprop, 0.001, decay=0.9, eps=1e-7)),
}
CASES = tuple(_MADE)


class Fit:
    """A training loop in JAX on arrays in memory.

    Args:
      name: of the case, one of `CASES`.
      x, y: the training set; without targets, the loss compares with the inputs.
      batch_size: examples per step.
      precision: float32 or bfloat16, the dtype that the layers compute in.
    """

    def __init__(self, name: str, x: np.ndarray, y: np.ndarray | None, batch_size: int, precision: str):
        kind, loss, optimizer = _MADE[name]
        network, update = kind(jnp.dtype(precision)), optimizer()
        self._arrays = [x, x if y is None else y]
        self._batch_size, self._batches = batch_size, self._shuffled()
        # The generator of XLA, which draws dropout faster than JAX's own.
        self._key, self._step = jax.random.key(0, impl="rbg"), 0
        weights = network.init({"params": self._key, "dropout": self._key}, x[:1])["params"]
        self._state = weights, update.init(weights)

        @functools.partial(jax.jit, donate_argnums=0)
        def step(state, key, number, inputs, targets):
            weights, slots = state
            draws = {"dropout": jax.random.fold_in(key, number)}
            value, gradients = jax.value_and_grad(
                lambda weights: loss(network.apply({"params": weights}, inputs, rngs=draws), targets)
            )(weights)
            updates, slots = update.update(gradients, slots, weights)
            return (optax.apply_updates(weights, updates), slots), value

        self._train = step

    def _shuffled(self) -> Iterator[list[np.ndarray]]:
        """Batches in a new order in each epoch."""
        rng, size = np.random.default_rng(0), self._batch_size
        while True:
            order = rng.permutation(len(self._arrays[0]))
            for first in range(0, len(order) - size + 1, size):
                yield [array[order[first : first + size]] for array in self._arrays]

    def run(self, steps: int) -> int:
        """Trains for some steps, waits for them and returns the number of examples."""
        for _ in range(steps):
            self._state, loss = self._train(self._state, self._key, self._step, *next(self._batches))
            self._step += 1
        loss.block_until_ready()
        return steps * self._batch_size

    @property
    def parameters(self) -> int:
        return sum(array.size for array in jax.tree.leaves(self._state[0]))
