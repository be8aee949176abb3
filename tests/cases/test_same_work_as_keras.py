"""No case skips work: with the same weights, batches, noise and dropout, Keras has the same losses and gradients.

The DCGAN's iteration is compared in test_dcgan.py.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, losses

from tf2cases import cases, nn
from tf2cases.data import sources

STEPS = 50


@dataclasses.dataclass(frozen=True)
class Work:
    """A case, and the same in Keras.

    Attributes:
      case: its name in the registry.
      flags: its config.
      batch: rows per step.
      metric: the name of the loss among the metrics of a step.
      layers: those of Keras that have weights or change shapes, in order; "dropout" stands for a mask that is given.
      loss: of (batch, outputs), where the batch's pictures are floats.
      optimizer: Keras'.
    """

    case: str
    flags: dict
    batch: int
    metric: str
    layers: Callable[[], list]
    loss: Callable
    optimizer: Callable


def mlp():
    return [layers.Flatten(), layers.Dense(512, "relu"), layers.Dense(512, "relu"), layers.Dense(10)]


def cnn():
    convolutions = [layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(64, 3, activation="relu")]
    dense = [layers.Flatten(), layers.Dense(128, "relu"), "dropout", layers.Dense(10)]
    return [*convolutions, layers.MaxPooling2D(), "dropout", *dense]


def captcha():
    first = [layers.Conv2D(32, 3, activation="relu"), layers.Conv2D(32, 3, activation="relu")]
    second = [layers.MaxPooling2D(padding="same"), layers.Conv2D(64, 3, activation="relu")]
    heads = [layers.Dense(40), layers.Reshape([4, 10]), layers.Softmax(), layers.Flatten()]
    return [*first, *second, layers.MaxPooling2D(padding="same"), layers.Flatten(), "dropout", *heads]


def autoencoder():
    def block():
        return layers.Conv2D(32, 3, padding="same", activation="relu")

    down, up = [block(), layers.MaxPooling2D(), block(), layers.MaxPooling2D()], []
    for _ in range(2):
        up += [block(), layers.UpSampling2D()]
    return [*down, *up, layers.Conv2D(1, 3, padding="same")]


def adam():
    return keras.optimizers.Adam(0.001, epsilon=1e-7)


def slow_adam():
    return keras.optimizers.Adam(1e-4, epsilon=1e-7)


def classes(batch, logits):
    return losses.SparseCategoricalCrossentropy(from_logits=True)(batch["labels"], logits)


def characters(batch, probabilities):
    return losses.BinaryCrossentropy()(np.eye(10)[batch["labels"]].reshape(len(probabilities), 40), probabilities)


def pixels(batch, logits):
    return losses.BinaryCrossentropy(from_logits=True)(batch["images"], logits)


STEADY = dict(steps=STEPS, schedule="constant", learning_rate=0.001)
# Keras rounds Adam's 1 - 0.999 from float64, TensorFlow's kernel in float32. The difference of 1.3e-5 grows a
# hundredfold in 50 steps of 0.001 through convolutions, whose relus and maxima turn over, but not in smaller steps.
SLOW = STEADY | dict(learning_rate=1e-4)
WORK = {
    "mlp": Work("mnist", dict(STEADY, model="mlp"), 16, "loss", mlp, classes, adam),
    "cnn": Work("mnist", dict(SLOW, model="cnn"), 16, "loss", cnn, classes, slow_adam),
    "captcha": Work("captcha", dict(SLOW, model="original", loss="binary"), 2, "loss", captcha, characters, slow_adam),
    "autoencoder": Work(
        "autoencoder",
        dict(recipe="original", steps=STEPS, learning_rate=0.3),
        16,
        "loss",
        autoencoder,
        pixels,
        lambda: keras.optimizers.Adadelta(0.3),
    ),
}


def batches(work):
    """The arrays of each step: digits; for captchas, random pictures."""
    rng = np.random.default_rng(0)
    images, labels = (sources.load("mnist_sample").train[name] for name in ("images", "labels"))
    for i in range(STEPS):
        rows = slice(i % 10 * work.batch, (i % 10 + 1) * work.batch)
        batch = {"images": images[rows], "labels": labels[rows]}
        if work.case == "captcha":
            shape = [work.batch, 60, 160, 1]
            batch = {"images": rng.integers(0, 256, shape, np.uint8), "labels": rng.integers(0, 10, [work.batch, 4])}
        if work.case == "autoencoder":
            noise = rng.normal(0, 127, batch["images"].shape)
            batch = {"images": batch["images"], "noisy": np.clip(batch["images"] + noise, 0, 255).astype(np.uint8)}
        yield batch


def record_gradients(case):
    """A list that will hold the gradients of each step of the case."""
    found, apply = [], case.optimizer.apply

    def recording(gradients):
        found.append([gradient.numpy() for gradient in gradients])
        return apply(gradients)

    case.optimizer.apply = recording
    return found


def assert_close_gradients(ours, theirs):
    for actual, expected in zip(ours, theirs, strict=True):
        assert np.linalg.norm(actual - expected) <= 1e-4 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", WORK)
def test_losses_and_gradients_of_a_network_are_those_of_keras(name):
    work = WORK[name]
    captchas = {"image_shape": [60, 160, 1], "charset": "0123456789", "length": 4}
    info = captchas if work.case == "captcha" else {"image_shape": [28, 28, 1], "class_names": list("0123456789")}
    kind = cases.REGISTRY[work.case]
    case = kind(kind.Config.resolve(dict(work.flags)), info)
    gradients, masks = record_gradients(case), [part for part in case.network.layers if isinstance(part, nn.Dropout)]
    network, variables = work.layers(), []
    referee = [layer for layer in network if layer != "dropout"]

    def run(x):
        rest = iter(masks)
        for layer in network:
            if layer == "dropout":
                seed = nn.random.at_step(nn.random.fold(case.config.seed, "dropout"), case.step)
                x = x * next(rest)(tf.ones_like(x), is_training=True, seed=seed)
            else:
                x = layer(x)
        return x

    optimizer = work.optimizer()
    for step, batch in enumerate(batches(work)):
        floats = {key: array / np.float32(255) if key != "labels" else array for key, array in batch.items()}
        inputs = tf.constant(floats.get("noisy", floats["images"]))
        if step == 0:
            run(inputs)  # makes the weights
            variables = [variable.value for layer in referee for variable in layer.trainable_weights]
            for mine, theirs in zip(case.network.trainable_variables, ordered(case, variables), strict=True):
                theirs.assign(mine)
        with tf.GradientTape() as tape:
            expected = work.loss(floats, run(inputs))
        weights = [weight for layer in referee for weight in layer.trainable_weights]
        slopes = tape.gradient(expected, [weight.value for weight in weights])
        found = case.train_step({key: tf.constant(array) for key, array in batch.items()})[work.metric]
        if step == 0:
            np.testing.assert_allclose(found, expected, rtol=1e-4)
            assert_close_gradients(gradients[0], ordered(case, [slope.numpy() for slope in slopes]))
        optimizer.apply(slopes, weights)
        case.step.assign_add(1)
    assert abs(found - expected) <= 1e-3 * max(1, expected)


def ordered(case, theirs):
    """Keras' values, a kernel and a bias for each layer, in the order of the case's variables."""
    with_weights = [layer for layer in case.network.layers if layer.variables]
    places = {}
    for i, layer in enumerate(with_weights):
        places[layer.kernel.ref()], places[layer.bias.ref()] = theirs[2 * i], theirs[2 * i + 1]
    return [places[variable.ref()] for variable in case.network.trainable_variables]


def test_losses_and_gradients_of_the_vae_are_those_of_keras():
    kind = cases.REGISTRY["vae"]
    case = kind(kind.Config.resolve(dict(steps=STEPS)), {"image_shape": [28, 28, 1], "class_names": list("0123456789")})
    gradients, network = record_gradients(case), case.network
    hidden, mean, log_variance = layers.Dense(256, "relu"), layers.Dense(2), layers.Dense(2)
    decoder_hidden, pixels = layers.Dense(256, "relu"), layers.Dense(784)
    pairs = [
        (hidden, network.encoder.layers[-1]),
        (mean, network.mean),
        (log_variance, network.log_variance),
        (decoder_hidden, network.decoder.layers[0]),
        (pixels, network.decoder.layers[1]),
    ]
    optimizer = keras.optimizers.RMSprop(0.001)
    images = sources.load("mnist_sample").train["images"]
    for theirs, ours in pairs:
        theirs.build([None, ours.kernel.shape[0]])
        theirs.set_weights([ours.kernel.numpy(), ours.bias.numpy()])
    theirs_of = {}
    for theirs, ours in pairs:
        theirs_of[ours.kernel.ref()], theirs_of[ours.bias.ref()] = theirs.kernel, theirs.bias
    weights = [theirs_of[variable.ref()] for variable in network.trainable_variables]
    for step in range(STEPS):
        batch = images[step % 10 * 16 : step % 10 * 16 + 16]
        x = batch.reshape(16, 784) / np.float32(255)
        noise = nn.random.normal([16, 2], nn.random.at_step(nn.random.fold(case.config.seed, "noise"), step))
        with tf.GradientTape() as tape:
            features = hidden(x)
            m, v = mean(features), log_variance(features)
            logits = pixels(decoder_hidden(m + tf.exp(v / 2) * noise))
            reconstruction = 784 * losses.binary_crossentropy(x, logits, from_logits=True)
            expected = tf.reduce_mean(reconstruction - 0.5 * tf.reduce_sum(1 + v - m**2 - tf.exp(v), axis=1))
        slopes = tape.gradient(expected, [weight.value for weight in weights])
        found = case.train_step({"images": tf.constant(batch)})["negative_elbo"]
        if step == 0:
            np.testing.assert_allclose(found, expected, rtol=1e-4)
            assert_close_gradients(gradients[0], [slope.numpy() for slope in slopes])
        optimizer.apply(slopes, weights)
        case.step.assign_add(1)
    assert abs(found - expected) <= 1e-3 * max(1, expected)
