"""Digits: a classifier of 28x28 grey pictures; a multi-layer perceptron or a convolutional network."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import nn, training, viz
from tf2cases.configs.mnist import Config
from tf2cases.data import digit_pictures, sources
from tf2cases.data.pictures import encoded, graph
from tf2cases.data.source import Source

_BATCH = 500  # batch size for `MNIST.pictures`


def mlp(classes: int) -> nn.Sequential:
    """Pictures [N, 28, 28, 1] -> logits [N, classes], with two hidden layers."""
    layers = [
        nn.Flatten(),
        nn.Dense(512, activation=tf.nn.relu, name="dense_1"),
        nn.Dense(512, activation=tf.nn.relu, name="dense_2"),
        nn.Dense(classes, name="logits"),
    ]
    return nn.Sequential(layers, name="mlp")


def cnn(classes: int, dropout: bool = True) -> nn.Sequential:
    """Pictures [N, 28, 28, 1] -> logits [N, classes]; 1,199,882 parameters for 10 classes."""
    layers = [
        nn.Conv2D(32, kernel_size=3, padding="VALID", activation=tf.nn.relu, name="conv_1"),
        nn.Conv2D(64, kernel_size=3, padding="VALID", activation=tf.nn.relu, name="conv_2"),
        nn.MaxPool2D(2),
        nn.Dropout(0.25 if dropout else 0.0, name="dropout_1"),
        nn.Flatten(),
        nn.Dense(128, activation=tf.nn.relu, name="dense_1"),
        nn.Dropout(0.5 if dropout else 0.0, name="dropout_2"),
        nn.Dense(classes, name="logits"),
    ]
    return nn.Sequential(layers, name="cnn")


def small_cnn(classes: int) -> nn.Sequential:
    """Pictures [N, 28, 28, 1] -> logits [N, classes]; 64,842 parameters for 10 classes, for a small export."""
    layers = [
        nn.Conv2D(16, kernel_size=5, activation=tf.nn.relu, name="conv_1"),
        nn.MaxPool2D(2),
        nn.Conv2D(32, kernel_size=3, activation=tf.nn.relu, name="conv_2"),
        nn.Conv2D(32, kernel_size=3, activation=tf.nn.relu, name="conv_3"),
        nn.MaxPool2D(2),
        nn.Flatten(),
        nn.Dense(32, activation=tf.nn.relu, name="dense_1"),
        nn.Dense(classes, name="logits"),
    ]
    return nn.Sequential(layers, name="small_cnn")


class MNIST(training.Case):
    """The digit classifier.

    Attributes:
      network: pictures in [0, 1] -> logits; the network being trained.
      average: an `nn.ExponentialMovingAverage` of it with `--ema`, else None.
    """

    Config = Config
    metric_names = ("loss", "accuracy")

    def __init__(self, config: Any, info: Mapping[str, Any]):
        super().__init__(config, info)
        self._input_shape = (None, *info["image_shape"])
        self.network = self._make_network()
        self.optimizer = nn.Adam(self.network.trainable_variables, epsilon=1e-7, **self.optimizer_options())
        self.average = None
        if config.ema:
            self.average = nn.ExponentialMovingAverage(self._make_network(), self.network, config.ema)
        self._infer = tf.function(self._logits, input_signature=[tf.TensorSpec(self._input_shape, tf.uint8)])

    def _make_network(self) -> nn.Sequential:
        classes, config = len(self.info["class_names"]), self.config
        if config.model == "cnn":
            network = cnn(classes, config.dropout)
        else:
            network = mlp(classes) if config.model == "mlp" else small_cnn(classes)
        network.create(self._input_shape, nn.random.fold(self.config.seed, "weights"))
        return network

    @classmethod
    def load(cls, config: Any) -> Source:
        return sources.load(config.dataset, config.data_dir)

    @staticmethod
    def compile_on(device_type: str, config: Any) -> bool:
        return device_type == "GPU" or config.model == "mlp"

    # Training

    def prepare(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if not self.config.augment:
            return batch
        return batch | {"images": augment(batch["images"], self._seed("augment"))}

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        labels = tf.cast(batch["labels"], tf.int32)
        with tf.GradientTape() as tape:
            logits = self.network(self._scaled(batch["images"]), is_training=True, seed=self._seed("dropout"))
            with tf.name_scope("loss"):
                loss = tf.reduce_mean(nn.losses.softmax_cross_entropy(labels, logits))
        self.optimizer.minimize(loss, tape)
        if self.average:
            self.average.update()
        with tf.name_scope("accuracy"):
            hits = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
            return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(hits, tf.float32))}

    def _seed(self, stream: str) -> tf.Tensor:
        return nn.random.at_step(nn.random.fold(self.config.seed, stream), self.step)

    def _scaled(self, images: tf.Tensor) -> tf.Tensor:
        """Scales uint8 pictures to [0, 1], in the dtype that the network computes in."""
        with tf.name_scope("input"):
            return tf.cast(images, nn.precision.compute_dtype(self.config.precision)) / 255

    # Evaluation

    @property
    def _evaluated(self) -> nn.Sequential:
        """The network that is evaluated and exported."""
        return self.average.network if self.average else self.network

    def _logits(self, images: tf.Tensor) -> tf.Tensor:
        """uint8 [N, H, W, C] -> float32 [N, classes]."""
        return tf.cast(self._evaluated(self._scaled(images), is_training=False), tf.float32)

    def evaluate(self, dataset: tf.data.Dataset) -> dict[str, float]:
        loss, confusion = nn.metrics.Mean(), nn.metrics.ConfusionMatrix(len(self.info["class_names"]))
        for batch in dataset:
            logits = self._infer(batch["images"])
            loss.update(nn.losses.softmax_cross_entropy(batch["labels"], logits))
            confusion.update(batch["labels"], tf.argmax(logits, axis=1))
        return {"loss": loss.result(), "accuracy": confusion.accuracy()}

    # Reports and pictures

    def conclude(self, source: Source, values: dict[str, float]) -> str:
        total = len(source.test["labels"])
        right = round(values["accuracy"] * total)
        return (
            f"Test accuracy {values['accuracy']:.2%} (loss {values['loss']:.4f}): "
            f"{right:,} of {total:,} right, {total - right:,} wrong."
        )

    def pictures(self, source: Source) -> dict[str, np.ndarray]:
        names = self.info["class_names"]
        first, labels = source.train["images"][:15], source.train["labels"]
        counts = np.bincount(labels, minlength=len(names))
        images, truth = source.test["images"], source.test["labels"]
        logits = np.concatenate([self._infer(images[i : i + _BATCH]) for i in range(0, len(images), _BATCH)])
        guess, losses = logits.argmax(axis=1), nn.losses.softmax_cross_entropy(truth, logits).numpy()
        confusion = nn.metrics.ConfusionMatrix(len(names))
        confusion.update(truth, guess)
        drawn = {
            "digits": viz.labelled(first, [names[i] for i in labels[:15]], columns=5, invert=True),
            "label_counts": viz.bars(names, counts, "Labels of the training set", "label", "pictures"),
            "confusion": viz.confusion_matrix(confusion.counts.numpy(), names, "Test set"),
        }
        worst = [i for i in np.argsort(-losses)[:20] if guess[i] != truth[i]]
        if worst:
            texts = [f"{names[truth[i]]} read as {names[guess[i]]}" for i in worst]
            drawn["worst_mistakes"] = viz.labelled(images[worst], texts, columns=5, invert=True)
        return drawn

    # Serving

    @property
    def _has_characters(self) -> bool:
        """Whether the classes are characters, so that several of them on a page make a text."""
        return all(len(name) == 1 for name in self.info["class_names"])

    def signatures(self) -> dict[str, Callable]:
        names = tf.constant(self.info["class_names"])

        def probabilities(images):
            return tf.nn.softmax(self._evaluated(images, is_training=False))

        @tf.function(input_signature=[tf.TensorSpec(self._input_shape, tf.float32, "images")])
        def serving_default(images):
            """Pictures in [0, 1], digits light on dark."""
            return {"probabilities": probabilities(images)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # traced once for two signatures
        def opened(files):
            """The probabilities of the digits in picture files; equal ones where nothing is written."""
            images, certainty = self._opened(files)
            certainty = certainty[:, tf.newaxis]
            return certainty * probabilities(images) + (1 - certainty) / len(self.info["class_names"])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def classify_bytes(image_bytes):
            """Picture files of any size, with one digit anywhere on the page."""
            scores = opened(image_bytes)
            return {"probabilities": scores, "label": tf.gather(names, tf.argmax(scores, axis=1))}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
        def classify(inputs):
            """Serialized tf.Examples with the picture file in the feature `image_bytes` (the Classify API)."""
            scores = opened(encoded.parse_examples(inputs))
            return {"classes": tf.broadcast_to(names, tf.shape(scores)), "scores": scores}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # likewise
        def opened_pages(files):
            return self._opened_pages(files)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def read_digits_bytes(image_bytes):
            """Picture files with up to 32 digits each, in reading order.

            `digits`, `confidences` and `boxes` (top, left, bottom, right, as parts of the picture) have 32 places, of
            which `count` are used. `confidence` is the product of those of the digits.
            """
            pages = opened_pages(image_bytes)
            used = tf.sequence_mask(pages["count"], digit_pictures.MOST)
            # [digits of all pages, classes]; a blank one is added since convolutions refuse empty batches.
            images = tf.boolean_mask(pages["images"], used)
            scores = probabilities(tf.concat([images, tf.zeros([1, *self.info["image_shape"]])], 0))[:-1]
            places, shape = tf.cast(tf.where(used), tf.int32), tf.shape(used)
            sure = tf.scatter_nd(places, tf.reduce_max(scores, axis=1), shape) * pages["certainty"]
            labels = tf.tensor_scatter_nd_update(
                tf.fill(shape, ""), places, tf.gather(names, tf.argmax(scores, axis=1))
            )
            return {
                "text": tf.strings.reduce_join(labels, axis=1),
                "digits": labels,
                "confidence": tf.reduce_prod(tf.where(used, sure, 1.0), axis=1)
                * tf.cast(pages["count"] > 0, tf.float32),
                "confidences": sure,
                "boxes": pages["boxes"],
                "count": pages["count"],
            }

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def find_digits_bytes(image_bytes):
            """Picture files with up to 32 digits each -> these digits as `serving_default` takes them, not yet read.

            `images`, `boxes` and `certainty` have 32 places, of which `count` are used, as in `read_digits_bytes`.
            """
            return opened_pages(image_bytes)

        found = {"serving_default": serving_default, "classify_bytes": classify_bytes, "classify": classify}
        several = {"read_digits_bytes": read_digits_bytes, "find_digits_bytes": find_digits_bytes}
        return found | several if self._has_characters else found

    def _opened(self, files: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Picture files, string [N] -> digits, float32 [N, 28, 28, 1] in [0, 1], and their certainty, float32 [N]."""

        def one(rgba):
            digit = digit_pictures.find_digit(rgba)
            return digit.images[0], digit.certainty[0]

        specs = tf.TensorSpec(self.info["image_shape"], tf.float32), tf.TensorSpec([], tf.float32)
        return graph.map_files(one, files, specs, digit_pictures.DECODING)

    def _opened_pages(self, files: tf.Tensor) -> dict[str, tf.Tensor]:
        """Picture files, string [N] -> the fields of `digit_pictures.Digits`, [N, 32, ...], and their `count`."""

        def page(rgba):
            found = digit_pictures.find_digits(rgba)
            count = tf.shape(found.certainty)[0]
            return {name: _padded(value, count) for name, value in found._asdict().items()} | {"count": count}

        shapes = {"images": self.info["image_shape"], "boxes": [4], "certainty": []}
        specs = {name: tf.TensorSpec([digit_pictures.MOST, *shape], tf.float32) for name, shape in shapes.items()}
        return graph.map_files(page, files, specs | {"count": tf.TensorSpec([], tf.int32)}, digit_pictures.DECODING)

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        images = np.zeros([3, *self.info["image_shape"]], np.uint8)
        images[1, 6:22, 12:16], images[2, 8:12, 6:22] = 255, 200  # a vertical and a horizontal stroke
        files, several = encoded.png_files(images), ("read_digits_bytes", "find_digits_bytes")
        return {
            "serving_default": {"images": images.astype(np.float32) / 255},
            "classify_bytes": {"image_bytes": files},
            "classify": {"inputs": encoded.examples(files)},
            **({name: {"image_bytes": files} for name in several} if self._has_characters else {}),
        }


def _padded(values: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """[count, ...] -> [MOST, ...], with zeros."""
    return tf.pad(values, [[0, digit_pictures.MOST - count], *[[0, 0]] * (values.shape.rank - 1)])


def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Randomly shifts by up to 2 pixels, rotates by up to 12 degrees, scales by up to 12 %, shears by up to 0.15.

    Args:
      images: uint8 [N, H, W, C]; pixels from outside are black.
      seed: int64 [2].

    Returns:
      uint8 [N, H, W, C].
    """
    n, height, width, _ = images.shape
    draw = nn.random.uniform([6, n], seed, -1.0, 1.0)
    angle, shear = draw[0] * math.radians(12), draw[1] * 0.15
    scale_x, scale_y = 1 + 0.12 * draw[2], 1 + 0.12 * draw[3]
    # The map from output to input pixels: rotation @ shear @ scale about the centre, then the shift.
    cos, sin = tf.cos(angle), tf.sin(angle)
    a, b = cos * scale_x, (cos * shear - sin) * scale_y
    c, d = sin * scale_x, (sin * shear + cos) * scale_y
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    x = centre_x - a * centre_x - b * centre_y + 2 * draw[4]
    y = centre_y - c * centre_x - d * centre_y + 2 * draw[5]
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, x, c, d, y, zero, zero], axis=1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
