"""Captchas: a network that reads all characters of a picture at once, one softmax head for each position."""

import numpy as np
import tensorflow as tf

from tf2cases import nn, training, viz
from tf2cases.configs.captcha_reader import Config
from tf2cases.data.captchas import folder, generated
from tf2cases.data.captchas.text import Charset
from tf2cases.data.pictures.graph import composite_on_white, decode_batch, to_grey
from tf2cases.data.source import Source
from tf2cases.errors import UsageError


def tutorial(length, classes):
    """The tutorial's network: 1,292,744 parameters for 4 digits of 160x60."""
    relu = tf.nn.relu
    return nn.Sequential(
        [
            nn.Conv2D(32, 3, padding="VALID", activation=relu, name="conv_1"),
            nn.Conv2D(32, 3, padding="VALID", activation=relu, name="conv_2"),
            nn.MaxPool2D(2, padding="SAME", name="pool_1"),
            nn.Conv2D(64, 3, padding="VALID", activation=relu, name="conv_3"),
            nn.MaxPool2D(2, padding="SAME", name="pool_2"),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Dense(length * classes, name="heads"),
        ],
        name="tutorial",
    )


def reader(length, classes):
    """Five convolutions with batch norm, from 160x60 down to 10x4, and one dense layer for all heads.

    The first convolution halves by its stride instead of a pool: at full resolution, batch norm and pool would take as
    long as all the rest. There is no hidden dense layer: with one of 512 units before the heads, and without batch norm
    there, nothing was learnt of 62 characters within 2,000 steps, where this network is half way after 200.
    """
    layers = []
    for i, filters in enumerate((16, 32, 64, 96, 128), 1):
        kernel_size, strides = (5, 2) if i == 1 else (3, 1)
        he_normal = nn.initializers.he_normal
        layers += [
            nn.Conv2D(filters, kernel_size, strides, use_bias=False, kernel_init=he_normal, name=f"conv_{i}"),
            nn.BatchNorm(momentum=0.95, activation=tf.nn.relu, name=f"norm_{i}"),
        ]
        if i in (2, 3, 4):
            layers.append(nn.MaxPool2D(2, padding="SAME", name=f"pool_{i}"))
    layers += [nn.Flatten(), nn.Dropout(0.25), nn.Dense(length * classes, name="heads")]
    return nn.Sequential(layers, name="reader")


def _test_split(config, info, labelled=None):
    """What is evaluated on: --test_dir, else the held-out tenth of --data_dir, else generated pictures.

    Args:
      config: the `Config`.
      info: of what is trained on; the test pictures are read, or drawn, of the same kind.
      labelled: the `Source` of --data_dir, if it was read already.
    """
    height, width, _ = info["image_shape"]
    form = dict(charset=info["charset"], length=info["length"], width=width, height=height)
    if config.test_dir:
        found = folder.read(config.test_dir, max_bad_images=config.max_bad_images, **form)
        chosen = np.array([config.test_part == "all" or folder.is_held_out(name) for name in found.names])
        if not chosen.any():
            raise UsageError(f"--test_part is {config.test_part!r}, but {config.test_dir} has no such picture.")
        return {"images": found.images[chosen], "labels": found.labels[chosen]}
    if config.data_dir:
        labelled = labelled or folder.load(config.data_dir, max_bad_images=config.max_bad_images, **form)
        return labelled.test
    stream, seed = generated.TEST_STREAM, generated.TEST_SEED
    return generated.load(config.cache_dir, stream, seed, config.test_count, workers=config.workers, **form)


def _merged_classes(charset):
    """int32 [classes]: the class of each character's lower case; None where the charset has not both cases."""
    if not charset.has_both_cases:
        return None
    characters = charset.characters.lower()
    return np.array([characters.index(c) for c in characters], np.int32)


class CaptchaReader(training.Case):
    """The reader.

    Attributes:
      network: pictures [N, H, W, 1] in [0, 1] -> logits of all heads [N, length * classes].
      charset: the `Charset`; class k is its character k.
    """

    Config = Config

    def __init__(self, config, info):
        super().__init__(config, info)
        self.charset, self.length = Charset(info["charset"]), info["length"]
        self._merged = _merged_classes(self.charset)
        self._input_shape = (None, *info["image_shape"])
        make = reader if config.model == "reader" else tutorial
        self.network = make(self.length, len(self.charset))
        self.network.create(self._input_shape, nn.random.fold(config.seed, "weights"))
        self.optimizer = nn.Adam(self.network.trainable_variables, epsilon=1e-7, **self.optimizer_options())
        self._infer = tf.function(
            lambda images: self._logits(images, False, None),
            input_signature=[tf.TensorSpec(self._input_shape, tf.uint8)],
        )

    @property
    def metric_names(self):
        merged = () if self._merged is None else ("string_accuracy_case_merged",)
        return ("loss", "string_accuracy", "character_accuracy", "element_accuracy", *merged)

    @classmethod
    def load(cls, config):
        kind = dict(charset=config.charset, length=config.length, width=config.width, height=config.height)
        labelled = None
        if config.data_dir:
            labelled = folder.load(config.data_dir, max_bad_images=config.max_bad_images, **kind)
            height, width, _ = labelled.info["image_shape"]
            kind = dict(charset=labelled.info["charset"], length=labelled.info["length"], width=width, height=height)
        count = config.train_count if config.train_count is not None else 0 if labelled else 50000
        if not count and not labelled:
            raise UsageError("--train_count is 0, but must be greater than 0 where no --data_dir is given.")
        parts = [labelled.train] if labelled else []
        info = labelled.info if labelled else None
        if count:
            form = {name: value for name, value in kind.items() if value is not None}
            drawn = generated.load(
                config.cache_dir, generated.TRAIN_STREAM, config.seed, count, workers=config.workers, **form
            )
            parts.insert(0, drawn)
            info = info or folder.info(**drawn, charset=Charset(form.get("charset", "digits")))
        train = parts[0] if len(parts) == 1 else {n: np.concatenate([part[n] for part in parts]) for n in parts[0]}
        return Source(config.dataset, train, _test_split(config, info, labelled), info)

    @classmethod
    def load_test(cls, config, info):
        test = _test_split(config, info)
        return Source(config.dataset, test, test, info)

    def describe(self, source):
        return nn.summary(self.network)

    def _logits(self, images, is_training, seed):
        """uint8 [N, H, W, 1] -> float32 [N, length, classes]."""
        with tf.name_scope("input"):
            images = tf.cast(images, nn.precision.compute_dtype(self.config.precision)) / 255
        return self._by_head(self.network(images, is_training=is_training, seed=seed))

    def _by_head(self, logits):
        return tf.reshape(tf.cast(logits, tf.float32), [-1, self.length, len(self.charset)])

    def _losses(self, labels, logits):
        """float32 [N]: labels int [N, length], logits [N, length, classes]."""
        if self.config.loss == "softmax":
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            return tf.reduce_sum(each, axis=1)
        # As Keras does: mean over all elements, probabilities kept off 0 and 1 by 1e-7.
        p = tf.clip_by_value(tf.nn.softmax(logits), 1e-7, 1 - 1e-7)
        truth = tf.one_hot(labels, len(self.charset))
        return -tf.reduce_mean(tf.math.log(tf.where(truth > 0, p, 1 - p)), axis=[1, 2])

    def _measures(self, labels, logits):
        """{name: [N]} of one batch, for both splits."""
        hits = tf.equal(tf.argmax(logits, axis=2, output_type=tf.int32), labels)
        elements = tf.equal(tf.nn.softmax(logits) > 0.5, tf.one_hot(labels, len(self.charset)) > 0.5)
        measured = {
            "loss": self._losses(labels, logits),
            "string_accuracy": tf.reduce_all(hits, axis=1),
            "character_accuracy": tf.reduce_mean(tf.cast(hits, tf.float32), axis=1),
            "element_accuracy": tf.reduce_mean(tf.cast(elements, tf.float32), axis=[1, 2]),
        }
        if self._merged is not None:
            same = tf.equal(tf.gather(self._merged, tf.argmax(logits, axis=2)), tf.gather(self._merged, labels))
            measured["string_accuracy_case_merged"] = tf.reduce_all(same, axis=1)
        return measured

    def train_step(self, batch):
        seed = nn.random.at_step(nn.random.fold(self.config.seed, "dropout"), self.step)
        labels = tf.cast(batch["labels"], tf.int32)
        with tf.GradientTape() as tape:
            logits = self._logits(batch["images"], True, seed)
            with tf.name_scope("loss"):
                loss = tf.reduce_mean(self._losses(labels, logits))
        self.optimizer.minimize(loss, tape)
        with tf.name_scope("metrics"):
            return {k: tf.reduce_mean(tf.cast(v, tf.float32)) for k, v in self._measures(labels, logits).items()}

    def evaluate(self, dataset):
        means = {name: nn.metrics.Mean() for name in self.metric_names}
        for batch in dataset:
            labels, logits = tf.cast(batch["labels"], tf.int32), self._infer(batch["images"])
            for name, values in self._measures(labels, logits).items():
                means[name].update(values)
        return {name: mean.result() for name, mean in means.items()}

    def conclude(self, source, values):
        classes = len(self.charset)
        lines = [
            f"Whole strings read right: {values['string_accuracy']:.2%} of {len(source.test['labels']):,} "
            f"(by chance {classes**-self.length:.2g}); characters {values['character_accuracy']:.2%} "
            f"(by chance {1 / classes:.1%}); elements {values['element_accuracy']:.4f} "
            f"(all zeros {1 - 1 / classes:.4f})."
        ]
        if "string_accuracy_case_merged" in values:
            lines.append(f"With upper and lower case taken as one: {values['string_accuracy_case_merged']:.2%}.")
        readings, _ = self._read(source.test["images"][:1])
        lines.append(f"First test picture: {self.charset.decode(source.test['labels'][0])}, read as {readings[0]}.")
        return "\n".join(lines)

    def _read(self, images):
        """(texts [N], classes int [N, length]) of uint8 pictures."""
        parts = [self._infer(images[i : i + 500]).numpy().argmax(axis=2) for i in range(0, len(images), 500)]
        classes = np.concatenate(parts)
        return [self.charset.decode(row) for row in classes], classes

    def pictures(self, source):
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

    def signatures(self):
        characters = tf.constant(list(self.charset.characters))

        def probabilities(images):
            return tf.nn.softmax(self._by_head(self.network(images)))

        @tf.function(input_signature=[tf.TensorSpec(self._input_shape, tf.float32, "images")])
        def serving_default(images):
            """Grey pictures in [0, 1]."""
            return {"probabilities": probabilities(images)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def read_bytes(image_bytes):
            """Picture files of any size."""
            p = probabilities(self._decoded(image_bytes))
            certain = tf.reduce_max(p, axis=2)
            return {
                "text": tf.strings.reduce_join(tf.gather(characters, tf.argmax(p, axis=2)), axis=1),
                "confidence": tf.reduce_prod(certain, axis=1),
                "characters": certain,
            }

        return {"serving_default": serving_default, "read_bytes": read_bytes}

    def _decoded(self, files):
        height, width, _ = self.info["image_shape"]

        def to_captcha(rgba):
            grey = to_grey(composite_on_white(rgba))
            return tf.image.resize(grey, [height, width], antialias=True)

        return decode_batch(files, to_captcha, self.info["image_shape"])

    def requests(self):
        height, width, _ = self.info["image_shape"]
        ramp = np.linspace(0, 255, height * width).reshape(height, width, 1).astype(np.uint8)
        images = np.stack([ramp, 255 - ramp, np.full_like(ramp, 128)])
        files = np.array([tf.io.encode_png(image).numpy() for image in images], object)
        return {
            "serving_default": {"images": images.astype(np.float32) / 255},
            "read_bytes": {"image_bytes": files},
        }
