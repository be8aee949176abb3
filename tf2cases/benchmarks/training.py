"""Measures training speed, in examples a second, against Keras' `fit` on the same network, in interleaved rounds.

    python -m bin.benchmark --cases=mnist_mlp,mnist_cnn --rounds=7

Each round trains every contender for `--seconds` in turn, so that a machine whose speed drifts treats them alike; the
ratio is taken round by round. Keras runs with XLA and without, several steps a call, and the better of the two counts.
Runs unchanged on a GPU. The data is random, in the shape of the real set, and fresh batches are drawn from all of it.
"""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable

from tf2cases.programs import quiet as _quiet  # isort: skip  # noqa: F401  (before TensorFlow)

import numpy as np
import tensorflow as tf
from absl import flags

from tf2cases import nn
from tf2cases.cases import DCGAN, MNIST, VAE, DenoisingAutoencoder
from tf2cases.data import pipeline
from tf2cases.errors import UsageError
from tf2cases.programs import common
from tf2cases.training import distribution
from tf2cases.training.loop import Trainer


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One case: how it is configured here, and the same network in Keras.

    Attributes:
      case_class: the case.
      flags: {config field: value}.
      arrays: makes the training arrays.
      info: the data source's info.
      keras_model: makes the Keras model with everything but `compile`'s speed settings: -> (model, compile arguments).
      keras_data: makes of the arrays what `fit` is given: -> (x, y).
      steps_per_call: of Keras; 1 where a step takes so long that a call's own cost is nothing.
      xla: whether Keras runs with XLA as well; it makes a GAN's step on a CPU several times slower.
    """

    case_class: type
    flags: dict
    arrays: Callable
    info: dict
    keras_model: Callable
    keras_data: Callable = lambda arrays: (_scaled(arrays["images"]), arrays["labels"].astype(np.int32))
    steps_per_call: int = 16
    xla: bool = True


def _scaled(images):
    return images.astype(np.float32) / 255


def _digits():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, [60000, 28, 28, 1], np.uint8)
    return {"images": images, "labels": rng.integers(0, 10, 60000).astype(np.uint8)}


def _keras_mnist(layers_of):
    def make():
        import keras

        model = keras.Sequential([keras.Input((28, 28, 1)), *layers_of(keras.layers)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return model, dict(optimizer=keras.optimizers.Adam(0.001), loss=loss, metrics=["accuracy"])

    return make


def _mlp(layers):
    return [layers.Flatten(), layers.Dense(512, "relu"), layers.Dense(512, "relu"), layers.Dense(10)]


def _cnn(layers):
    return [
        layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Dropout(0.25), layers.Flatten(), layers.Dense(128, "relu"), layers.Dropout(0.5), layers.Dense(10),
    ]  # fmt: skip


def _keras_vae():
    import keras
    from keras import layers, ops

    class VAE(keras.Model):
        """The tutorial's network; its loss is of inputs and latents, so the model adds it itself."""

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
    model(np.zeros([1, 784], np.float32))  # makes the weights
    return model, dict(optimizer=keras.optimizers.RMSprop(0.001))


def _flat_pictures(arrays):
    return _scaled(arrays["images"]).reshape(-1, 784), None


def _keras_autoencoder():
    import keras
    from keras import layers

    def conv(filters, activation="relu"):
        return layers.Conv2D(filters, 3, padding="same", activation=activation)

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            conv(32), layers.MaxPooling2D(), conv(32), layers.MaxPooling2D(),
            conv(32), layers.UpSampling2D(), conv(32), layers.UpSampling2D(), conv(1, None),
        ]
    )  # fmt: skip
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return model, dict(optimizer=keras.optimizers.Adam(0.005), loss=loss)


def _noisy_and_clean(arrays):
    clean = _scaled(arrays["images"])
    noise = np.random.default_rng(0).standard_normal(clean.shape, np.float32)
    return np.clip(clean + np.float32(0.5) * noise, 0, 1), clean


def _faces():
    return {"images": np.random.default_rng(0).integers(0, 256, [2000, 64, 64, 3], np.uint8)}


def _keras_gan(size, channels):
    """How Keras has a GAN: a Model with a `train_step` of its own; D, G, G on one batch and one set of latents."""

    def make():
        import keras
        from keras import layers

        side, last = (3, dict(strides=1, padding="valid")) if size == 28 else (4, dict(strides=2, padding="same"))

        def norm():
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

    return make


def _signed(arrays):
    return _scaled(arrays["images"]) * 2 - 1, None


_DIGITS_INFO = {"image_shape": [28, 28, 1], "class_names": list("0123456789")}
BENCHMARKS = {
    "mnist_mlp": Benchmark(MNIST, {"model": "mlp"}, _digits, _DIGITS_INFO, _keras_mnist(_mlp)),
    "mnist_cnn": Benchmark(MNIST, {"model": "cnn"}, _digits, _DIGITS_INFO, _keras_mnist(_cnn)),
    "vae": Benchmark(VAE, {}, _digits, _DIGITS_INFO, _keras_vae, _flat_pictures),
    "autoencoder": Benchmark(
        DenoisingAutoencoder,
        {"model": "tutorial"},
        _digits,
        {"image_shape": [28, 28, 1]},
        _keras_autoencoder,
        _noisy_and_clean,
    ),
    "dcgan_digits": Benchmark(
        DCGAN, {}, _digits, {"image_shape": [28, 28, 1]}, _keras_gan(28, 1), _signed, steps_per_call=1, xla=False
    ),
    "dcgan_faces": Benchmark(
        DCGAN,
        {"dataset": "celeba"},
        _faces,
        {"image_shape": [64, 64, 3]},
        _keras_gan(64, 3),
        _signed,
        steps_per_call=1,
        xla=False,
    ),
}


class Ours:
    """This project's loop on a benchmark."""

    def __init__(self, benchmark, arrays, precision, jit):
        config = benchmark.case_class.Config(**benchmark.flags, precision=precision, jit=jit, steps=10**9, epochs=None)
        strategy = distribution.make("auto")
        with strategy.scope():
            case = benchmark.case_class(config, benchmark.info)
        seed = nn.random.fold(config.seed, "order")
        self._trainer = Trainer(case, pipeline.Batches(arrays, config.batch_size, seed), strategy)
        self._batch_size = config.batch_size
        self._trainer.run(2)
        started = time.perf_counter()
        self._trainer.run(10)
        self._rate = 10 / (time.perf_counter() - started)

    def measure(self, seconds):
        """Examples a second over about that many seconds; waits for the device, since `run` returns a Python bool."""
        steps = max(1, int(seconds * self._rate))
        started = time.perf_counter()
        self._trainer.run(steps)
        self._rate = steps / (time.perf_counter() - started)
        return self._rate * self._batch_size


class _Enough(Exception):
    """Ends `fit` when the time is up."""


class Keras:
    """Keras' compile and fit on NumPy arrays in memory."""

    def __init__(self, benchmark, arrays, precision, jit):
        import keras

        keras.mixed_precision.set_global_policy("float32" if precision == "float32" else f"mixed_{precision}")
        keras.utils.set_random_seed(0)
        self._model, arguments = benchmark.keras_model()
        self._model.compile(jit_compile=jit, steps_per_execution=benchmark.steps_per_call, **arguments)
        self._batch_size = benchmark.case_class.Config(**benchmark.flags).batch_size
        # Whole calls only, so that every call makes the same number of steps.
        self._steps_per_call = benchmark.steps_per_call
        call = self._steps_per_call * self._batch_size
        whole = len(arrays["images"]) // call * call
        self._x, self._y = benchmark.keras_data({name: array[:whole] for name, array in arrays.items()})
        self.measure(1.0)

    def measure(self, seconds):
        """Examples a second over about that many seconds, without fit's own start."""
        import keras

        model, marks = self._model, []

        class Timer(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                float(logs["loss"])  # waits for the device
                marks.append(time.perf_counter())
                if marks[-1] - marks[0] > seconds:
                    raise _Enough

        # An epoch of the whole set at a time, as people run it; fit has no way to end in the middle of one.
        with contextlib.suppress(_Enough):
            model.fit(self._x, self._y, batch_size=self._batch_size, epochs=10**6, verbose=0, callbacks=[Timer()])
        steps = self._steps_per_call * (len(marks) - 1)
        return steps * self._batch_size / (marks[-1] - marks[0])


def compare(benchmark, rounds, seconds, precision, progress=print):
    """Measures a benchmark's contenders in turn.

    Returns:
      {contender: [examples a second, one for each round]}.
    """
    arrays = benchmark.arrays()
    contenders = {
        "tf2cases": Ours(benchmark, arrays, precision, "auto"),
        "keras": Keras(benchmark, arrays, precision, False),
    }
    if benchmark.xla:
        contenders["keras+xla"] = Keras(benchmark, arrays, precision, True)
    measured = {name: [] for name in contenders}
    for i in range(rounds):
        for name, contender in contenders.items():
            measured[name].append(contender.measure(seconds))
        progress(f"  round {i + 1}/{rounds}: " + ", ".join(f"{n} {r[-1]:,.0f}" for n, r in measured.items()))
    return measured


def define(values):
    names = ", ".join(BENCHMARKS)
    flags.DEFINE_list("cases", list(BENCHMARKS), f"Which of {names}, with commas.", flag_values=values)
    flags.DEFINE_integer("rounds", 5, "Rounds.", lower_bound=1, flag_values=values)
    flags.DEFINE_float(
        "seconds", 4.0, "Length of one contender's turn, in seconds.", lower_bound=0.1, flag_values=values
    )
    flags.DEFINE_enum("precision", "float32", nn.precision.NAMES, "What all compute in.", flag_values=values)


def main(values):
    unknown = [name for name in values["cases"].value if name not in BENCHMARKS]
    if unknown:
        raise UsageError(f"--cases has {unknown[0]!r}, but must be of {', '.join(BENCHMARKS)}.")
    precision = values["precision"].value
    print(f"{distribution.device_name()}; TensorFlow {tf.__version__}; {precision}; median [min .. max] of examples/s")
    for name in values["cases"].value:
        print(name)
        measured = compare(BENCHMARKS[name], values["rounds"].value, values["seconds"].value, precision)
        rival = max((n for n in measured if n != "tf2cases"), key=lambda n: statistics.median(measured[n]))
        for contender, rates in measured.items():
            print(f"  {contender:10} {common.spread(rates, ',.0f')}")
        ratios = [a / b for a, b in zip(measured["tf2cases"], measured[rival], strict=True)]
        print(f"  tf2cases / {rival}: {common.spread(ratios, '.2f')}")
