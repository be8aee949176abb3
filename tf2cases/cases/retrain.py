"""Transfer learning: Inception-v3 with published weights and a new last layer for other classes.

Donahue et al. 2013, "DeCAF", arXiv 1310.1531, with the settings of TensorFlow's retrain.py.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import inception_v3, nn, training, viz
from tf2cases.configs.inception_v3 import BLOCKS
from tf2cases.configs.retrain import Config
from tf2cases.data.pictures import classes
from tf2cases.data.source import Source
from tf2cases.errors import UsageError
from tf2cases.inception_v3 import extractor

_IMAGES_AT_ONCE = 32  # batch size of pictures, outside of training
_FEATURES_AT_ONCE = 2048
_SHOWN = 20  # misclassified pictures


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledPictures(Source):
    """Features or pictures of a folder, in the splits "train", "validation" and "test".

    Each split has "labels" int32 [N], and "features" float32 [N, 2048] or, if its pictures go through the network,
    "images" uint8 [N, 299, 299, 3].

    Attributes:
      test_paths: the files of the split "test".
    """

    test_paths: tuple = ()


class RetrainedInception(training.Case):
    """The retrained classifier.

    Checkpoints do not include the frozen part of the network; it is loaded from `--weights` again.

    Attributes:
      logits: the last layer, [N, 2048] -> [N, classes].
      blocks: the network's last blocks that `--fine_tune` trains, or []; their batch-norm statistics are frozen.
    """

    Config = Config
    metric_names = ("loss", "accuracy")
    export_tolerance = 1e-4  # the order of summing thousands of terms depends on the batch size

    def __init__(self, config: Any, info: Mapping[str, Any]):
        super().__init__(config, info)
        base = extractor.load(config.weights, config.weights_dir)
        if base.identity != info["weights"]:
            raise UsageError(
                f"--weights={config.weights} have changed since the run was started; restore the original ones."
            )
        self._base = nn.variables.untracked(base)
        frozen = base.model.network.blocks[: BLOCKS - config.fine_tune]
        self._frozen = nn.variables.untracked(frozen)
        self.blocks, trained = [], []
        self._tuned: Callable[[], dict[str, tf.Variable]] = dict
        if config.fine_tune:
            copy = _copy(base, 0)
            self.blocks, trained = copy.blocks[BLOCKS - config.fine_tune :], copy.last_variables(config.fine_tune)
            starts = tuple(f"{block.name}/" for block in self.blocks)
            tuned = {name: variable for name, variable in copy.values().items() if name.startswith(starts)}
            self._tuned = nn.variables.untracked(tuned)
        init = nn.initializers.truncated_normal(0.001)
        self.logits = nn.Dense(len(info["class_names"]), kernel_init=init, name="logits")
        self.logits.create((None, inception_v3.FEATURES), nn.random.fold(config.seed, "logits"))
        self.optimizer = nn.SGD([*trained, *self.logits.trainable_variables], **self.optimizer_options())
        self._infer = {
            "features": tf.function(
                lambda features: self._logits({"features": features}),
                input_signature=[tf.TensorSpec([None, inception_v3.FEATURES], tf.float32)],
            ),
            "images": tf.function(
                lambda images: self._logits({"images": images}),
                input_signature=[tf.TensorSpec([None, *inception_v3.IMAGE_SHAPE], tf.uint8)],
            ),
        }

    @classmethod
    def load(cls, config: Any) -> Source:
        if not config.data_dir:
            raise UsageError("--data_dir is missing: it must be a folder with a sub-folder of pictures per class.")
        folder = classes.read(config.data_dir)
        folder.splits()  # reports mistakes before the features are computed
        base = extractor.load(config.weights, config.weights_dir)
        bad, rows = {}, {}

        def refuse(path, error):
            bad[path] = error
            if len(bad) > config.max_bad_images:
                raise UsageError(
                    f"{str(error).rstrip('.')}; at most --max_bad_images={config.max_bad_images} such files are "
                    f"skipped in --data_dir={config.data_dir}."
                ) from error

        if not config.fine_tune:
            rows["features"] = base.features(folder.paths, config.cache_dir, refuse)
        if config.fine_tune or config.distort:
            rows["images"] = base.images(folder.paths, config.cache_dir, refuse)
        if bad:
            print(f"Skipped {len(bad)} of {len(folder.paths)} files; the first error: {next(iter(bad.values()))}")
        folder = folder.without(bad)
        chosen = {name: np.flatnonzero(folder.splits() == i) for i, name in enumerate(classes.SPLITS)}
        splits = {}
        for split, indices in chosen.items():
            # Distorted pictures go through the network in training; features are used for evaluation.
            kind = "images" if config.fine_tune or (config.distort and split == "train") else "features"
            splits[split] = {kind: rows[kind].take(indices), "labels": folder.labels[indices]}
        return LabelledPictures(
            name=config.data_dir,
            splits=splits,
            info={"class_names": list(folder.class_names), "weights": base.identity},
            test_paths=tuple(folder.paths[i] for i in chosen["test"]),
        )

    # Training

    def prepare(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if not self.config.distort:
            return batch
        seed = nn.random.at_step(nn.random.fold(self.config.seed, "distort"), self.step)
        return batch | {"images": distort(batch["images"], seed)}

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        labels = batch["labels"]
        with tf.GradientTape() as tape:
            logits = self._logits(batch)
            with tf.name_scope("loss"):
                loss = tf.reduce_mean(nn.losses.softmax_cross_entropy(labels, logits))
        self.optimizer.minimize(loss, tape)
        with tf.name_scope("accuracy"):
            hits = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
            return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(hits, tf.float32))}

    def _logits(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Features or uint8 pictures -> float32 [N, classes]."""
        dtype = nn.precision.compute_dtype(self.config.precision)
        if "features" in batch:
            features = tf.cast(batch["features"], dtype)
        else:
            outputs = self._base().preprocessing.scaled(tf.cast(batch["images"], dtype) / 255)
            for block in self._frozen():
                outputs = block(outputs)
            outputs = tf.stop_gradient(outputs)
            for block in self.blocks:
                outputs = block(outputs)
            features = self._base().model.network.pool(outputs)
        return tf.cast(self.logits(features), tf.float32)

    # Evaluation

    def _all_logits(self, split) -> np.ndarray:
        """The logits of a split's features or pictures, float32 [N, classes]."""
        kind, at_once = ("features", _FEATURES_AT_ONCE) if "features" in split else ("images", _IMAGES_AT_ONCE)
        rows = split[kind]
        return np.concatenate([self._infer[kind](rows[i : i + at_once]) for i in range(0, len(rows), at_once)])

    def evaluate(self, dataset: tf.data.Dataset) -> dict[str, float]:
        loss, confusion = nn.metrics.Mean(), nn.metrics.ConfusionMatrix(len(self.info["class_names"]))
        for batch in dataset:
            logits = self._all_logits(batch)
            loss.update(nn.losses.softmax_cross_entropy(batch["labels"], logits))
            confusion.update(batch["labels"], tf.argmax(logits, axis=1))
        return {"loss": loss.result(), "accuracy": confusion.accuracy()}

    # Reports and pictures

    def describe(self, source: Source) -> str:
        sizes = {name: len(split["labels"]) for name, split in source.splits.items()}
        variables = sum(v.shape.num_elements() for v in self.trainable_variables)
        return (
            f"{len(self.info['class_names'])} classes; {sizes['train']:,} pictures for training, "
            f"{sizes['validation']:,} for validation, {sizes['test']:,} for testing.\nTraining the last layer"
            + (f" and the network's last {len(self.blocks)} blocks" if self.blocks else "")
            + f": {variables:,} parameters."
        )

    def conclude(self, source: Source, values: dict[str, float]) -> str:
        labels = {name: split["labels"] for name, split in source.splits.items()}
        counts = np.bincount(np.concatenate(list(labels.values())), minlength=len(self.info["class_names"]))
        right = np.mean(self._all_logits(source.train).argmax(axis=1) == labels["train"])
        return (
            f"Accuracy: training {right:.2%} of {len(labels['train']):,}, validation "
            f"{values['validation_accuracy']:.2%} of {len(labels['validation']):,}, test "
            f"{values['test_accuracy']:.2%} of {len(labels['test']):,}; by chance {1 / len(counts):.2%}, by always "
            f"predicting {self.info['class_names'][counts.argmax()]!r} {counts.max() / counts.sum():.2%}."
        )

    def pictures(self, source: Source) -> dict[str, np.ndarray]:
        assert isinstance(source, LabelledPictures)
        names, truth = self.info["class_names"], source.test["labels"]
        guess = self._all_logits(source.test).argmax(axis=1)
        confusion = nn.metrics.ConfusionMatrix(len(names))
        confusion.update(truth, guess)
        drawn = {"confusion": viz.confusion_matrix(confusion.counts.numpy(), names, "Test pictures")}
        wrong = np.flatnonzero(guess != truth)[:_SHOWN]
        if len(wrong):
            # Read from the files, since the source may hold only features; half the size is enough.
            images = np.stack([self._base().model.read(source.test_paths[i])[::2, ::2] for i in wrong])
            texts = [f"{names[truth[i]]}\ntaken for {names[guess[i]]}" for i in wrong]
            drawn["wrong_test_pictures"] = viz.labelled(images, texts, columns=min(5, len(wrong)))
        return drawn

    # Serving

    def signatures(self) -> dict[str, Callable]:
        network = _copy(self._base(), len(self.info["class_names"]))
        values = network.values()
        for name, variable in self._tuned().items():
            values[name].assign(variable)
        network.logits.kernel.assign(self.logits.kernel)
        network.logits.bias.assign(self.logits.bias)
        preprocessing = self._base().preprocessing
        return inception_v3.InceptionV3(
            network, preprocessing, self.info["class_names"], self.config.top_k
        ).signatures()

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        return self._base().model.requests()


def _copy(base: extractor.Extractor, classes: int) -> inception_v3.Network:
    """Returns an unfolded `Network` with the values of an `Extractor` and a last layer of zeros."""
    network = inception_v3.Network(classes, base.preprocessing.last_pool, kernel_init=nn.initializers.zeros)
    network.create((None, *inception_v3.IMAGE_SHAPE), 0)
    values = network.values()
    for name, variable in base.body().items():
        values[name].assign(variable)
    return network


def distort(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Flips with probability 0.5, crops and scales by up to 10 % each, and changes the brightness by up to 10 %.

    As in retrain.py with 10 for each of its flags: a crop at a random position, of 1 / (1.1 * s) of the height and the
    width with s in [1, 1.1], is resized to the full size (bilinear).

    Args:
      images: uint8 [N, H, W, C].
      seed: int64 [2].

    Returns:
      uint8 [N, H, W, C].
    """
    n, height, width, _ = images.shape
    flip, scale, top, left, bright = tf.unstack(nn.random.uniform([5, n], seed))
    part = 1 / (1.1 * (1 + 0.1 * scale))
    top, left = top * (1 - part), left * (1 - part)
    right = left + part
    is_flipped = flip < 0.5
    left, right = tf.where(is_flipped, right, left), tf.where(is_flipped, left, right)
    boxes = tf.stack([top, left, top + part, right], axis=1)
    cropped = tf.image.crop_and_resize(images, boxes, tf.range(n), [height, width])
    return tf.saturate_cast(tf.round(cropped * (0.9 + 0.2 * bright)[:, None, None, None]), tf.uint8)
