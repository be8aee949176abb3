"""The networks that `benchmark training` measures, in idiomatic Keras and trained by Keras' `fit`."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

_Arrays = dict[str, np.ndarray]
_Made = tuple[Any, dict[str, Any]]  # a keras.Model, and arguments of `compile` other than those for speed


@dataclasses.dataclass(frozen=True)
class Rival:
    """A network in Keras.

    Attributes:
      model: creates the network and its arguments of `compile`.
      data: converts the training arrays to the arguments (x, y) of `fit`.
      large: whether a step takes so long that each call runs only one, and never with XLA, which makes such a step
        on a CPU several times slower.
      case: name of the case in `steps.CASES` with the same network; None: the rival's own name.
    """

    model: Callable[[], _Made]
    data: Callable[[_Arrays], tuple[np.ndarray, np.ndarray | None]]
    large: bool = False
    case: str | None = None


def _scaled(arrays: _Arrays) -> np.ndarray:
    return arrays["images"].astype(np.float32) / 255


def _labelled(arrays: _Arrays) -> tuple[np.ndarray, np.ndarray]:
    return _scaled(arrays), arrays["labels"].astype(np.int32)


def _noisy_and_clean(arrays: _Arrays) -> tuple[np.ndarray, np.ndarray]:
    return arrays["noisy"].astype(np.float32) / 255, _scaled(arrays)


def _heads(arrays: _Arrays) -> tuple[np.ndarray, np.ndarray]:
    one_hot = np.eye(10, dtype=np.float32)[arrays["labels"]]
    return _scaled(arrays), one_hot.reshape(len(one_hot), -1)


def _signed(arrays: _Arrays) -> tuple[np.ndarray, None]:
    return _scaled(arrays) * 2 - 1, None


def _classifier(layers: list) -> _Made:
    import keras

    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return model, dict(optimizer=keras.optimizers.Adam(0.001), loss=loss, metrics=["accuracy"])


def _mlp() -> _Made:
    from keras.layers import Dense, Flatten

    return _classifier([Flatten(), Dense(512, "relu"), Dense(512, "relu"), Dense(10)])


def _cnn() -> _Made:
    from keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

    convolutions = [Conv2D(32, 3, activation="relu"), Conv2D(64, 3, activation="relu"), MaxPooling2D()]
    return _classifier([*convolutions, Dropout(0.25), Flatten(), Dense(128, "relu"), Dropout(0.5), Dense(10)])


def _vae() -> _Made:
    import keras
    from keras import layers, ops

    class VAE(keras.Model):
        """The original network; its loss depends on inputs and latents, so the model adds it itself."""

        def __init__(self):
            super().__init__()
            self.hidden, self.decoder_hidden = layers.Dense(256, "relu"), layers.Dense(256, "relu")
            self.mean, self.log_variance, self.logits = layers.Dense(2), layers.Dense(2), layers.Dense(784)
            self.seeds = keras.random.SeedGenerator(0)

        def call(self, x):
            hidden = self.hidden(x)
            mean, log_variance = self.mean(hidden), self.log_variance(hidden)
            z = mean + ops.exp(log_variance / 2) * keras.random.normal(ops.shape(mean), seed=self.seeds)
            logits = self.logits(self.decoder_hidden(z))
            reconstruction = ops.sum(ops.binary_crossentropy(x, logits, from_logits=True), axis=1)
            kl = -0.5 * ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=1)
            self.add_loss(ops.mean(reconstruction + kl))
            return logits

    model = VAE()
    model(np.zeros([1, 784], np.float32))  # creates the weights
    return model, dict(optimizer=keras.optimizers.RMSprop(0.001))


def _autoencoder() -> _Made:
    import keras
    from keras import layers

    def conv(filters: int, activation: str | None = "relu") -> layers.Layer:
        return layers.Conv2D(filters, 3, padding="same", activation=activation)

    encoder = [conv(32), layers.MaxPooling2D(), conv(32), layers.MaxPooling2D()]
    decoder = [conv(32), layers.UpSampling2D(), conv(32), layers.UpSampling2D(), conv(1, None)]
    model = keras.Sequential([keras.Input((28, 28, 1)), *encoder, *decoder])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return model, dict(optimizer=keras.optimizers.Adadelta(1.0), loss=loss)


def _captcha() -> _Made:
    import keras
    from keras import layers

    pool = functools.partial(layers.MaxPooling2D, padding="same")
    first = [layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(32, 3, activation="relu"), pool()]
    second = [layers.Conv2D(64, 3, activation="relu"), pool(), layers.Flatten(), layers.Dropout(0.25)]
    heads = [layers.Dense(40), layers.Reshape((4, 10)), layers.Softmax(dtype="float32"), layers.Reshape((40,))]
    model = keras.Sequential([keras.Input((60, 160, 1)), *first, *second, *heads])
    return model, dict(optimizer=keras.optimizers.Adam(0.001), loss=keras.losses.BinaryCrossentropy())


def _gan(size: int, channels: int) -> _Made:
    """A GAN in Keras: a Model whose `train_step` updates D once and G twice on one batch and one set of latents."""
    import keras
    import tensorflow as tf
    from keras import layers

    side, last = (3, dict(strides=1, padding="valid")) if size == 28 else (4, dict(strides=2, padding="same"))

    def norm() -> layers.Layer:
        return layers.BatchNormalization(momentum=0.9, epsilon=0.001, scale=False)

    generate = [keras.Input((100,)), layers.Dense(side * side * 512), layers.Reshape((side, side, 512))]
    generate += [norm(), layers.ReLU()]
    for filters in (256, 128, 64):
        generate += [layers.Conv2DTranspose(filters, 5, 2, padding="same"), norm(), layers.ReLU()]
    generate.append(layers.Conv2DTranspose(channels, 5, activation="tanh", **last))
    judge = [keras.Input((size, size, channels))]
    for filters in (64, 128, 256, 512):
        judge.append(layers.Conv2D(filters, 5, 2, padding="same"))
        judge += [norm()] if filters > 64 else []
        judge.append(layers.LeakyReLU(0.2))
    judge += [layers.Flatten(), layers.Dense(1, dtype="float32")]

    class GAN(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator, self.discriminator = keras.Sequential(generate), keras.Sequential(judge)
            self.g_optimizer, self.d_optimizer = (keras.optimizers.Adam(2e-4, 0.5, epsilon=1e-8) for _ in "gd")
            self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
            self.seeds = keras.random.SeedGenerator(0)
            self.built = True

        def train_step(self, real):
            z = keras.random.uniform((tf.shape(real)[0], 100), -1, 1, seed=self.seeds)
            with tf.GradientTape() as tape:
                x = self.discriminator(real, training=True)
                y = self.discriminator(self.generator(z, training=True), training=True)
                loss = self.cross_entropy(tf.ones_like(x), x) + self.cross_entropy(tf.zeros_like(y), y)
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            weights = self.generator.trainable_weights
            for _ in range(2):
                with tf.GradientTape() as tape:
                    y = self.discriminator(self.generator(z, training=True), training=True)
                    g_loss = self.cross_entropy(tf.ones_like(y), y)
                self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
            return {"loss": loss, "g_loss": g_loss}

    return GAN(), {}


# {name of the case: rival}.
RIVALS = {
    "mnist_mlp": Rival(_mlp, _labelled),
    "mnist_cnn": Rival(_cnn, _labelled),
    "captcha": Rival(_captcha, _heads, large=True, case="captcha_original"),
    "vae": Rival(_vae, lambda arrays: (_scaled(arrays).reshape(-1, 784), None)),
    "autoencoder": Rival(_autoencoder, _noisy_and_clean, case="autoencoder_original"),
    "dcgan_digits": Rival(lambda: _gan(28, 1), _signed, large=True),
    "dcgan_faces": Rival(lambda: _gan(64, 3), _signed, large=True),
}


class Fit:
    """Keras' compile and fit on NumPy arrays in memory.

    Args:
      rival: the network.
      x, y: the training set.
      batch_size: examples per step.
      precision: float32, bfloat16 or float16.
      jit: whether the step is compiled with XLA.
      steps_per_call: steps that Keras runs in one call; the contender waits for the device after each call.
    """

    def __init__(
        self,
        rival: Rival,
        x: np.ndarray,
        y: np.ndarray | None,
        batch_size: int,
        precision: str,
        jit: bool,
        steps_per_call: int,
    ):
        import keras

        keras.mixed_precision.set_global_policy("float32" if precision == "float32" else f"mixed_{precision}")
        keras.utils.set_random_seed(0)
        self._model, arguments = rival.model()
        self._batch_size, self._steps_per_call = batch_size, steps_per_call
        self._model.compile(jit_compile=jit, steps_per_execution=steps_per_call, **arguments)
        # Full calls only, so that every call runs the same number of steps.
        call = steps_per_call * batch_size
        whole = len(x) // call * call
        self._x, self._y = x[:whole], None if y is None else y[:whole]

    @property
    def parameters(self) -> int:
        return sum(int(weight.value.shape.num_elements()) for weight in self._model.trainable_weights)

    def first(self) -> None:
        """Traces and compiles the step, and runs the first call."""
        self._fit(lambda: True)

    def measure(self, seconds: float) -> tuple[float, float, float]:
        """Trains for about `seconds`.

        Returns:
          As `rounds.timed`, without the startup of `fit`.
        """
        marks: list[tuple[float, float]] = []

        def is_enough() -> bool:
            marks.append((time.perf_counter(), time.process_time()))
            return len(marks) > 1 and marks[-1][0] - marks[0][0] > seconds

        self._fit(is_enough)
        taken, used = (last - first for first, last in zip(marks[0], marks[-1], strict=True))
        done = self._steps_per_call * (len(marks) - 1) * self._batch_size
        return done / taken, 1000 * used / done, taken

    def _fit(self, is_enough: Callable[[], bool]) -> None:
        """Trains until `is_enough`, called after each call of Keras', returns true."""
        import keras

        class Enough(Exception):
            """Ends `fit` in the middle of an epoch; Keras offers no other way."""

        def mark(batch: int, logs: dict[str, Any]) -> None:
            float(logs["loss"])  # waits for the device
            if is_enough():
                raise Enough

        timer = keras.callbacks.LambdaCallback(on_train_batch_end=mark)
        # Each epoch goes through the whole set, as usual.
        with contextlib.suppress(Enough):
            self._model.fit(self._x, self._y, self._batch_size, epochs=10**6, verbose=0, callbacks=[timer])
