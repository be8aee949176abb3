"""Transfer learning: the features of Inception-v3 with trained weights, and a last layer for classes of one's own.

After Donahue et al. 2013, "DeCAF", arXiv 1310.1531, with the numbers of TensorFlow's retrain.py.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tf2cases import inception_v3, nn, training, viz
from tf2cases.configs.inception_v3 import BLOCKS
from tf2cases.configs.transfer import Config
from tf2cases.data.pictures import classes
from tf2cases.data.source import Source
from tf2cases.errors import UsageError
from tf2cases.inception_v3 import extractor

_IMAGES_AT_ONCE = 32  # through the network, when nothing is learnt
_FEATURES_AT_ONCE = 2048
_SHOWN = 20  # wrong pictures


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledPictures(Source):
    """Features or pictures of a folder.

    `train` has "labels" int32 [N], and "features" float32 [N, 2048], or "images" uint8 [N, 299, 299, 3] where the
    network is trained through; `test` holds the pictures for validation and for testing, told apart by "is_test".

    Attributes:
      test_paths: the files of `test`.
    """

    test_paths: tuple = ()


class Transfer(training.Case):
    """The retrained classifier.

    The network that is not trained is no part of the checkpoints: it comes from its weights again.

    Attributes:
      logits: the last layer, [N, 2048] -> [N, classes].
      blocks: the last blocks of the network with `--fine_tune`, else []; their statistics are frozen.
    """

    Config = Config
    metric_names = ("loss", "accuracy")
    export_tolerance = 1e-4  # sums of thousands of terms stand in another order for each batch

    def __init__(self, config, info):
        super().__init__(config, info)
        base = extractor.load(config.weights, config.weights_dir)
        if base.identity != info["weights"]:
            raise UsageError(
                f"--weights={config.weights} are not those any more that the run was started with; put them back."
            )
        # In functions, since tf.Module would take the network for something to checkpoint.
        self._base = lambda: base
        frozen = base.model.network.blocks[: BLOCKS - config.fine_tune]
        self._frozen = lambda: frozen
        self.blocks, self._tuned, trained = [], dict, []
        if config.fine_tune:
            copy = _copy(base, 0)
            self.blocks, trained = copy.blocks[BLOCKS - config.fine_tune :], copy.last_variables(config.fine_tune)
            starts = tuple(f"{block.name}/" for block in self.blocks)
            tuned = {name: variable for name, variable in copy.values().items() if name.startswith(starts)}
            self._tuned = lambda: tuned
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
    def load(cls, config):
        if not config.data_dir:
            raise UsageError("--data_dir is missing: it must be a folder with a sub-folder of pictures a class.")
        folder = classes.read(config.data_dir)
        folder.splits()  # mistakes are told before the features are computed
        base = extractor.load(config.weights, config.weights_dir)
        bad, features, images = {}, None, None

        def refuse(path, error):
            bad[path] = error
            if len(bad) > config.max_bad_images:
                raise UsageError(
                    f"{str(error).rstrip('.')}; at most --max_bad_images={config.max_bad_images} such files are "
                    f"skipped of --data_dir={config.data_dir}."
                ) from error

        if not config.fine_tune:
            features = base.features(folder.paths, config.cache_dir, refuse)
        if config.fine_tune or config.distort:
            images = base.images(folder.paths, config.cache_dir, refuse)
        if bad:
            print(f"Skipped {len(bad)} of {len(folder.paths)} files, the first: {next(iter(bad.values()))}")
        folder = folder.without(bad)
        splits = folder.splits()

        def part(name, rows, chosen):
            return {name: rows.take(chosen), "labels": folder.labels[chosen]}

        train, held_out = np.flatnonzero(splits == 0), np.flatnonzero(splits > 0)
        through = config.fine_tune or config.distort
        return LabelledPictures(
            name=config.data_dir,
            train=part("images", images, train) if through else part("features", features, train),
            test={
                **(part("images", images, held_out) if config.fine_tune else part("features", features, held_out)),
                "is_test": splits[held_out] == 2,
            },
            info={"class_names": list(folder.class_names), "weights": base.identity},
            test_paths=tuple(folder.paths[i] for i in held_out),
        )

    def describe(self, source):
        sizes = [len(source.train["labels"]), *np.bincount(source.test["is_test"], minlength=2)]
        variables = sum(v.shape.num_elements() for v in self.trainable_variables)
        return (
            f"{len(self.info['class_names'])} classes; {sizes[0]:,} pictures for training, {sizes[1]:,} for "
            f"validation, {sizes[2]:,} for testing.\nTrained are the last layer"
            + (f" and the network's last {len(self.blocks)} blocks" if self.blocks else "")
            + f": {variables:,} parameters."
        )

    def prepare(self, batch):
        if not self.config.distort:
            return batch
        seed = nn.random.at_step(nn.random.fold(self.config.seed, "distort"), self.step)
        return batch | {"images": distort(batch["images"], seed)}

    def train_step(self, batch):
        labels = batch["labels"]
        with tf.GradientTape() as tape:
            logits = self._logits(batch)
            with tf.name_scope("loss"):
                loss = tf.reduce_mean(nn.losses.softmax_cross_entropy(labels, logits))
        self.optimizer.minimize(loss, tape)
        with tf.name_scope("accuracy"):
            hits = tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels)
            return {"loss": loss, "accuracy": tf.reduce_mean(tf.cast(hits, tf.float32))}

    def _logits(self, batch):
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

    def _all_logits(self, arrays):
        """float32 [N, classes] of a split, without distortions."""
        name, at_once = ("features", _FEATURES_AT_ONCE) if "features" in arrays else ("images", _IMAGES_AT_ONCE)
        rows = arrays[name]
        return np.concatenate([self._infer[name](rows[i : i + at_once]) for i in range(0, len(rows), at_once)])

    def evaluate(self, dataset):
        splits = ("validation", "test")
        losses = [nn.metrics.Mean() for _ in splits]
        confusions = [nn.metrics.ConfusionMatrix(len(self.info["class_names"])) for _ in splits]
        for batch in dataset:
            logits = self._all_logits(batch)
            for i in range(len(splits)):
                chosen = batch["is_test"] == bool(i)
                labels, of_split = tf.boolean_mask(batch["labels"], chosen), tf.boolean_mask(logits, chosen)
                losses[i].update(nn.losses.softmax_cross_entropy(labels, of_split))
                confusions[i].update(labels, tf.argmax(of_split, axis=1))
        return {f"{split}_loss": losses[i].result() for i, split in enumerate(splits)} | {
            f"{split}_accuracy": confusions[i].accuracy() for i, split in enumerate(splits)
        }

    def conclude(self, source, values):
        labels = np.concatenate([source.train["labels"], source.test["labels"]])
        counts = np.bincount(labels, minlength=len(self.info["class_names"]))
        right = np.mean(self._all_logits(source.train).argmax(axis=1) == source.train["labels"])
        tests = int(np.sum(source.test["is_test"]))
        return (
            f"Accuracy: training {right:.2%} of {len(source.train['labels']):,}, validation "
            f"{values['validation_accuracy']:.2%} of {len(source.test['labels']) - tests:,}, test "
            f"{values['test_accuracy']:.2%} of {tests:,}; by chance {1 / len(counts):.2%}, by always saying "
            f"{self.info['class_names'][counts.argmax()]!r} {counts.max() / counts.sum():.2%}."
        )

    def pictures(self, source):
        names, test = self.info["class_names"], np.flatnonzero(source.test["is_test"])
        truth, guess = source.test["labels"][test], self._all_logits(source.test)[test].argmax(axis=1)
        confusion = nn.metrics.ConfusionMatrix(len(names))
        confusion.update(truth, guess)
        drawn = {"confusion": viz.confusion_matrix(confusion.counts.numpy(), names, "Test pictures")}
        wrong = np.flatnonzero(guess != truth)[:_SHOWN]
        if len(wrong):
            # From the files, since there may be no pictures in the source; half the size is enough.
            images = np.stack([self._base().model.read(source.test_paths[test[i]])[::2, ::2] for i in wrong])
            texts = [f"{names[truth[i]]}\ntaken for {names[guess[i]]}" for i in wrong]
            drawn["wrong_test_pictures"] = viz.labelled(images, texts, columns=min(5, len(wrong)))
        return drawn

    def signatures(self):
        network = _copy(self._base(), len(self.info["class_names"]))
        values = network.values()
        for name, variable in self._tuned().items():
            values[name].assign(variable)
        network.logits.kernel.assign(self.logits.kernel)
        network.logits.bias.assign(self.logits.bias)
        model = inception_v3.InceptionV3(
            network, self._base().preprocessing, self.info["class_names"], self.config.top_k
        )
        return model.signatures()

    def requests(self):
        return self._base().model.requests()


def _copy(base, classes):
    """A `Network` that is not folded, with the values of an `Extractor`'s, and a last layer of zeros."""
    network = inception_v3.Network(classes, base.preprocessing.last_pool, kernel_init=nn.initializers.zeros)
    network.create((None, *inception_v3.IMAGE_SHAPE), 0)
    values = network.values()
    for name, variable in base.body().items():
        values[name].assign(variable)
    return network


def distort(images, seed):
    """Flips every other picture on average, crops and scales by up to 10 % each, brightens or darkens by up to 10 %.

    As retrain.py does with 10 for each of its flags: a part of the height and the width, 1 / (1.1 * s) with s in
    [1, 1.1], from anywhere in the picture, becomes the whole; bilinear.

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
