"""Captchas: a network that reads all characters of a picture at once, with one softmax head per position."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import nn, training, viz
from tf2cases.configs.captcha import Config
from tf2cases.data.captchas import source as captchas
from tf2cases.data.captchas.text import Charset
from tf2cases.data.pictures import encoded, graph
from tf2cases.data.source import Source

_BATCH = 500  # batch size for `CaptchaReader.pictures`


def original(length: int, classes: int) -> nn.Sequential:
    """The original network: pictures -> logits [N, length * classes]; 1,292,744 parameters for 4 digits in 160x60."""
    layers = [
        nn.Conv2D(32, kernel_size=3, padding="VALID", activation=tf.nn.relu, name="conv_1"),
        nn.Conv2D(32, kernel_size=3, padding="VALID", activation=tf.nn.relu, name="conv_2"),
        nn.MaxPool2D(2, padding="SAME", name="pool_1"),
        nn.Conv2D(64, kernel_size=3, padding="VALID", activation=tf.nn.relu, name="conv_3"),
        nn.MaxPool2D(2, padding="SAME", name="pool_2"),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Dense(length * classes, name="heads"),
    ]
    return nn.Sequential(layers, name="original")


def reader(length: int, classes: int) -> nn.Sequential:
    """Five convolutions with batch norm, from 160x60 down to 10x4, and one dense layer for all heads.

    The first convolution halves the resolution with a stride instead of a pool: at full resolution, batch norm and
    pool would take as long as all the rest. There is no hidden dense layer: with 512 units before the heads, without
    batch norm, a network for 62 characters learned nothing in 2,000 steps; this one is halfway there after 200.
    """
    layers = [
        *_block(1, 16, kernel_size=5, strides=2),
        *_block(2, 32, kernel_size=3),
        nn.MaxPool2D(2, padding="SAME", name="pool_2"),
        *_block(3, 64, kernel_size=3),
        nn.MaxPool2D(2, padding="SAME", name="pool_3"),
        *_block(4, 96, kernel_size=3),
        nn.MaxPool2D(2, padding="SAME", name="pool_4"),
        *_block(5, 128, kernel_size=3),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Dense(length * classes, name="heads"),
    ]
    return nn.Sequential(layers, name="reader")


def _block(number: int, filters: int, kernel_size: int, strides: int = 1) -> list[nn.Layer]:
    he_normal = nn.initializers.he_normal
    return [
        nn.Conv2D(filters, kernel_size, strides, use_bias=False, kernel_init=he_normal, name=f"conv_{number}"),
        nn.BatchNorm(momentum=0.95, activation=tf.nn.relu, name=f"norm_{number}"),
    ]


class CaptchaReader(training.Case):
    """The captcha reader.

    Attributes:
      network: pictures [N, H, W, 1] in [0, 1] -> logits of all heads [N, length * classes].
      charset: the `Charset`; class k is its character k.
    """

    Config = Config

    def __init__(self, config: Any, info: Mapping[str, Any]):
        super().__init__(config, info)
        self.charset, self.length = Charset(info["charset"]), info["length"]
        self._merged = _merged_classes(self.charset)
        self._input_shape = (None, *info["image_shape"])
        self.network = (reader if config.model == "reader" else original)(self.length, len(self.charset))
        self.network.create(self._input_shape, nn.random.fold(config.seed, "weights"))
        self.optimizer = nn.Adam(self.network.trainable_variables, epsilon=1e-7, **self.optimizer_options())
        self._infer = tf.function(self._logits, input_signature=[tf.TensorSpec(self._input_shape, tf.uint8)])

    @property
    def metric_names(self) -> Sequence[str]:
        merged = () if self._merged is None else ("string_accuracy_case_merged",)
        return ("loss", "string_accuracy", "character_accuracy", "element_accuracy", *merged)

    @classmethod
    def load(cls, config: Any) -> Source:
        return captchas.load(config)

    @classmethod
    def load_test(cls, config: Any, info: Mapping[str, Any]) -> Source:
        return captchas.load_test(config, info)

    @staticmethod
    def compile_on(device_type: str, config: Any) -> bool:
        return device_type == "GPU"

    # Training

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        seed = nn.random.at_step(nn.random.fold(self.config.seed, "dropout"), self.step)
        labels = tf.cast(batch["labels"], tf.int32)
        with tf.GradientTape() as tape:
            logits = self._logits(batch["images"], is_training=True, seed=seed)
            with tf.name_scope("loss"):
                loss = tf.reduce_mean(self._losses(labels, logits))
        self.optimizer.minimize(loss, tape)
        with tf.name_scope("metrics"):
            metrics = self._metrics(labels, logits)
            return {name: tf.reduce_mean(tf.cast(values, tf.float32)) for name, values in metrics.items()}

    def _logits(self, images: tf.Tensor, is_training: bool = False, seed=None) -> tf.Tensor:
        """uint8 [N, H, W, 1] -> float32 [N, length, classes]."""
        with tf.name_scope("input"):
            images = tf.cast(images, nn.precision.compute_dtype(self.config.precision)) / 255
        return self._by_head(self.network(images, is_training=is_training, seed=seed))

    def _by_head(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.cast(logits, tf.float32), [-1, self.length, len(self.charset)])

    def _losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Losses float32 [N] of labels int [N, length] and logits [N, length, classes]."""
        if self.config.loss == "softmax":
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            return tf.reduce_sum(each, axis=1)
        # As in Keras: the mean over all elements, with probabilities clipped to [1e-7, 1 - 1e-7].
        p = tf.clip_by_value(tf.nn.softmax(logits), 1e-7, 1 - 1e-7)
        truth = tf.one_hot(labels, len(self.charset))
        return -tf.reduce_mean(tf.math.log(tf.where(truth > 0, p, 1 - p)), axis=[1, 2])

    def _metrics(self, labels: tf.Tensor, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """The metrics of a batch, {name: [N]}."""
        hits = tf.equal(tf.argmax(logits, axis=2, output_type=tf.int32), labels)
        elements = tf.equal(tf.nn.softmax(logits) > 0.5, tf.one_hot(labels, len(self.charset)) > 0.5)
        metrics = {
            "loss": self._losses(labels, logits),
            "string_accuracy": tf.reduce_all(hits, axis=1),
            "character_accuracy": tf.reduce_mean(tf.cast(hits, tf.float32), axis=1),
            "element_accuracy": tf.reduce_mean(tf.cast(elements, tf.float32), axis=[1, 2]),
        }
        if self._merged is not None:
            same = tf.equal(tf.gather(self._merged, tf.argmax(logits, axis=2)), tf.gather(self._merged, labels))
            metrics["string_accuracy_case_merged"] = tf.reduce_all(same, axis=1)
        return metrics

    # Evaluation

    def evaluate(self, dataset: tf.data.Dataset) -> dict[str, float]:
        means = {name: nn.metrics.Mean() for name in self.metric_names}
        for batch in dataset:
            labels, logits = tf.cast(batch["labels"], tf.int32), self._infer(batch["images"])
            for name, values in self._metrics(labels, logits).items():
                means[name].update(values)
        return {name: mean.result() for name, mean in means.items()}

    # Reports and pictures

    def conclude(self, source: Source, values: dict[str, float]) -> str:
        classes = len(self.charset)
        lines = [
            f"Strings read correctly: {values['string_accuracy']:.2%} of {len(source.test['labels']):,} "
            f"(by chance {classes**-self.length:.2g}); characters {values['character_accuracy']:.2%} "
            f"(by chance {1 / classes:.1%}); elements {values['element_accuracy']:.4f} "
            f"(all zeros {1 - 1 / classes:.4f})."
        ]
        if "string_accuracy_case_merged" in values:
            lines.append(f"Ignoring upper and lower case: {values['string_accuracy_case_merged']:.2%}.")
        readings, _ = self._read(source.test["images"][:1])
        lines.append(f"First test picture: {self.charset.decode(source.test['labels'][0])}, read as {readings[0]}.")
        return "\n".join(lines)

    def _read(self, images: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Returns (texts [N], classes int [N, length]) for uint8 pictures."""
        parts = [self._infer(images[i : i + _BATCH]).numpy().argmax(axis=2) for i in range(0, len(images), _BATCH)]
        classes = np.concatenate(parts)
        return list(self.charset.decode(classes)), classes

    def pictures(self, source: Source) -> dict[str, np.ndarray]:
        images, labels = np.asarray(source.test["images"]), np.asarray(source.test["labels"])
        readings, classes = self._read(images)
        confusion = nn.metrics.ConfusionMatrix(len(self.charset))
        confusion.update(labels.ravel(), classes.ravel())
        truths = [self.charset.decode(row) for row in labels[:20]]
        wrong = np.array([t != r for t, r in zip(truths, readings, strict=False)])
        texts = [f"{t} read as {r}" if t != r else t for t, r in zip(truths, readings, strict=False)]
        return {
            "readings": viz.labelled(images[:20], texts, columns=4, marks=wrong),
            "confusion": viz.confusion_matrix(confusion.counts.numpy(), list(self.charset.characters), "Characters"),
            "structure": viz.structure(nn.summary_rows(self.network), self._input_shape[1:]),
        }

    # Serving

    def signatures(self) -> dict[str, Callable]:
        characters = tf.constant(list(self.charset.characters))

        def probabilities(images):
            return tf.nn.softmax(self._by_head(self.network(images, is_training=False)))

        @tf.function(input_signature=[tf.TensorSpec(self._input_shape, tf.float32, "images")])
        def serving_default(images):
            """Grey pictures in [0, 1]."""
            return {"probabilities": probabilities(images)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def read_bytes(image_bytes):
            """Picture files of any size."""
            p = probabilities(self._opened(image_bytes))
            certain = tf.reduce_max(p, axis=2)
            return {
                "text": tf.strings.reduce_join(tf.gather(characters, tf.argmax(p, axis=2)), axis=1),
                "confidence": tf.reduce_prod(certain, axis=1),
                "characters": certain,
            }

        return {"serving_default": serving_default, "read_bytes": read_bytes}

    def _opened(self, files: tf.Tensor) -> tf.Tensor:
        """Picture files, string [N] -> grey pictures on white, float32 [N, H, W, 1] in [0, 1]."""
        height, width, _ = self.info["image_shape"]

        def to_captcha(rgba):
            grey = graph.to_grey(graph.composite_on_white(graph.reduced(rgba)))
            return tf.image.resize(grey, [height, width], antialias=True)

        return graph.decode_batch(files, to_captcha, self.info["image_shape"], graph.Decoding(graph.SMALL))

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        height, width, _ = self.info["image_shape"]
        ramp = np.linspace(0, 255, height * width).reshape(height, width, 1).astype(np.uint8)
        images = np.stack([ramp, 255 - ramp, np.full_like(ramp, 128)])
        return {
            "serving_default": {"images": images.astype(np.float32) / 255},
            "read_bytes": {"image_bytes": encoded.png_files(images)},
        }


def _merged_classes(charset):
    """int32 [classes]: the class of each character in lower case; None unless the charset has both cases."""
    if not charset.has_both_cases:
        return None
    characters = charset.characters.lower()
    return np.array([characters.index(c) for c in characters], np.int32)
