"""Feature nets, which map pictures to vectors; `distances` compares the distributions of these vectors.

The meaning of a distance depends on the net, so every net has a name that is printed with the numbers, and states
whether they may be compared with published ones.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import cases, nn, training
from tf2cases.cases.mnist import MNIST
from tf2cases.configs.inception_v3 import WEIGHTS_DIR
from tf2cases.data import pipeline, sources
from tf2cases.data.mnist import IMAGE_SHAPE
from tf2cases.errors import UsageError
from tf2cases.inception_v3 import extractor
from tf2cases.training import Case, checkpoints, workdir


class PictureFeatures:
    """Maps pictures to feature vectors: uint8 [N, H, W, C] -> float32 [N, d], both arrays.

    Args:
      name: the net, the number of features, and anything else they depend on; it is printed.
      compute: computes the features.
      comparable: whether distances of these features are the ones that papers report.

    Attributes:
      name, comparable: as above.
    """

    def __init__(self, name: str, compute: Callable[[np.ndarray], np.ndarray], comparable: bool = False):
        self.name, self.comparable, self._compute = name, comparable, compute

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self._compute(images)


def _traced(
    compute: Callable[[tf.Tensor], tf.Tensor], image_shape: Sequence[int]
) -> Callable[[np.ndarray], np.ndarray]:
    """Wraps a computation on tensors as one on arrays, traced once."""
    function = tf.function(compute, input_signature=[tf.TensorSpec((None, *image_shape), tf.uint8)])
    return lambda images: function(tf.constant(images)).numpy()


class DigitFeatures(PictureFeatures):
    """The last hidden layer of this project's MNIST CNN: 128 non-negative numbers.

    Args:
      case: the trained `MNIST` case with the model `cnn`.

    Raises:
      UsageError: it is another case or model.
    """

    def __init__(self, case: Case):
        if case.config.case != MNIST.Config.case or case.config.model != "cnn":
            model = getattr(case.config, "model", "none")
            raise UsageError(
                f"the classifier is the case {case.config.case!r} with the model {model!r}, but must be "
                f"{MNIST.Config.case!r} with the model 'cnn'."
            )
        network = case.average.network if case.average else case.network
        *self._body, self._head = network.layers
        self.class_names = list(case.info["class_names"])
        name = f"the last hidden layer ({self._head.kernel.shape[0]} units) of {case.config.name}"
        super().__init__(name, _traced(self._penultimate, case.info["image_shape"]))

    def _penultimate(self, images: tf.Tensor) -> tf.Tensor:
        outputs = tf.cast(images, tf.float32) / 255
        for layer in self._body:
            outputs = nn.call(layer, outputs, is_training=False)
        return outputs

    def classify(self, features: np.ndarray) -> np.ndarray:
        """The classifier's probabilities, float32 [N, classes], from features [N, d]."""
        return tf.nn.softmax(self._head(tf.constant(features))).numpy()


class RandomConvFeatures(PictureFeatures):
    """A convolutional net with fixed random weights, which detects edges, colours and their positions.

    Four 3x3 convolutions of stride 2 with 16, 32, 64 and 64 filters, SAME, relu, He-normal kernels drawn from the
    seed, no biases, on pictures in [-1, 1]; the features are the mean of each filter of each layer over each quarter
    of the picture (704 in total; if a side is odd, the quarters share its middle). The weights depend only on the seed
    and the number of channels. Such features show a generator's progress, but pictures with similar features need not
    look alike to people, and their distances have a scale of their own.

    Args:
      image_shape: (H, W, C), sides of at least 17.
      seed: int >= 0.

    Raises:
      UsageError: the pictures are too small.
    """

    _FILTERS = (16, 32, 64, 64)
    _LEAST_SIDE = 2 ** len(_FILTERS) + 1  # so that the last layer has two rows and columns

    def __init__(self, image_shape: Sequence[int], seed: int = 0):
        if min(image_shape[:2]) < self._LEAST_SIDE:
            raise UsageError(
                f"the pictures are {image_shape[0]}x{image_shape[1]}, but random_conv features need sides of at least "
                f"{self._LEAST_SIDE}."
            )
        options = dict(strides=2, activation=tf.nn.relu, use_bias=False, kernel_init=nn.initializers.he_normal)
        self._layers = [nn.Conv2D(n, 3, name=f"conv_{i}", **options) for i, n in enumerate(self._FILTERS, 1)]
        shape = (None, *image_shape)
        for layer in self._layers:
            shape = layer.create(shape, nn.random.fold(seed, layer.name))
        name = f"random_conv ({4 * sum(self._FILTERS)} features, never trained, seed {seed})"
        super().__init__(name, _traced(self._quarters, image_shape))

    def _quarters(self, images: tf.Tensor) -> tf.Tensor:
        x = tf.cast(images, tf.float32) / 127.5 - 1
        features = []
        for layer in self._layers:
            x = layer(x)
            height, width = x.shape[1:3]
            quarters = tf.nn.avg_pool2d(x, (-(-height // 2), -(-width // 2)), (height // 2, width // 2), "VALID")
            features.append(tf.reshape(quarters, [-1, 4 * x.shape[3]]))
        return tf.concat(features, axis=1)


def inception_features(weights: str) -> PictureFeatures:
    """The 2,048 pooled features of Inception-v3; pictures are resized as its weights require, and grey ones become RGB.

    With the weights of 2015 they are those of published Frechet inception distances, except for how pictures are
    resized.

    Args:
      weights: as for `inception_v3.weights.load`; published ones are stored in `WEIGHTS_DIR`.
    """
    model = extractor.load(weights, WEIGHTS_DIR).model
    name = f"Inception-v3 (2,048 features) with the weights {weights}"
    return PictureFeatures(
        name, lambda images: model.features(np.broadcast_to(images, (*images.shape[:3], 3))), weights == "2015"
    )


# Data set that the MNIST CNN can learn -> the accuracy it needs there to judge generated pictures.
_LEAST_ACCURACY = {"mnist": 0.99, "mnist_sample": 0.97, "fashion_mnist": 0.9}


def default_classifier(dataset: str) -> tuple[str, str]:
    """The default classifier for judging the pictures of a data set.

    For `mnist_sample` that is the classifier of all of MNIST, if its training is finished.

    Returns:
      The folder of its run, and the name of the data set that it is trained on.
    """
    folders = {name: MNIST.Config(dataset=name, recipe="best").folder for name in ("mnist", dataset)}
    trained_on = "mnist" if dataset == "mnist_sample" and _is_finished(folders["mnist"]) else dataset
    return folders[trained_on], trained_on


def _is_finished(folder: str) -> bool:
    """Whether the folder holds a run that was trained to its last step."""
    found = checkpoints.steps(os.path.join(folder, workdir.CHECKPOINTS))
    return bool(found) and found[-1] >= workdir.read_record(folder)["config"]["steps"]


def _train(dataset: str, data_dir: str, folder: str) -> None:
    """Trains the classifier, or resumes its training."""
    print(f"Training the classifier of {dataset} in {folder}, once:", flush=True)
    given: dict[str, Any] = dict(dataset=dataset, data_dir=data_dir, workdir=folder, export_dir="", recipe="best")
    if dataset == "mnist_sample":
        given["epochs"] = 48  # the set has a fifteenth of the digits: 48 epochs reach an accuracy of 98.5 %
    if training.train(MNIST, MNIST.Config.resolve(given)).stopped_by:
        raise KeyboardInterrupt("the classifier's checkpoints are kept; run the same command again to resume")


def digit_features(dataset: str, data_dir: str, classifier: str | None = None) -> DigitFeatures:
    """The features of a classifier, which is trained first if necessary.

    Args:
      dataset: `mnist`, `mnist_sample` or `fashion_mnist`.
      data_dir: the folder of the data set.
      classifier: the workdir of a classifier; by default that of `default_classifier`, which is trained with
        `--recipe=best` if it is missing or unfinished.

    Returns:
      DigitFeatures; the name states the run and its accuracy on the held-out pictures of `dataset`.

    Raises:
      UsageError: there is no such run, it was trained on other pictures or classes, or it is not accurate enough.
    """
    folder = classifier
    if folder is None:
        folder, trained_on = default_classifier(dataset)
        if not _is_finished(folder):
            _train(trained_on, data_dir, folder)
    try:
        case = cases.restore(folder)
        features = DigitFeatures(case)
    except UsageError as error:
        raise UsageError(f"--classifier={folder} cannot judge the pictures: {error}") from error
    source, refused = sources.load(dataset, data_dir), f"--classifier is {folder!r}, but"
    if features.class_names != source.info["class_names"]:
        trained_on = case.config.dataset
        raise UsageError(f"{refused} that run was trained on {trained_on}, whose classes are not those of {dataset}.")
    batches = pipeline.in_order(source.test, 500).as_numpy_iterator()
    hits = [features.classify(features(b["images"])).argmax(axis=1) == b["labels"] for b in batches]
    accuracy, least = float(np.concatenate(hits).mean()), _LEAST_ACCURACY[dataset]
    if accuracy < least:
        raise UsageError(
            f"{refused} its accuracy on the held-out pictures of {dataset} is {accuracy:.2%}, and must be at least "
            f"{least:.0%}, which a run of train_mnist with --recipe=best reaches."
        )
    features.name += f" in {folder} at step {int(case.step):,} (accuracy {accuracy:.2%} on the held-out pictures)"
    return features


def make(
    name: str, dataset: str, data_dir: str, image_shape: Sequence[int], classifier: str | None = None
) -> PictureFeatures:
    """Creates features by name; `auto` is `digits` for pictures that the MNIST CNN can learn, else `random_conv`.

    Args:
      name: one of `FEATURES`.
      dataset: the name of the pictures' data set.
      data_dir: the folder of the data set.
      image_shape: (H, W, C) of the pictures.
      classifier: the workdir of the classifier for `digits`, or the weights for `inception`; None for the default.

    Raises:
      UsageError: the features do not fit the pictures.
    """
    learnable = dataset in _LEAST_ACCURACY and tuple(image_shape) == IMAGE_SHAPE
    if name == "auto":
        name = "digits" if learnable else "random_conv"
    if name == "inception":
        return inception_features(classifier or "2015")
    if name == "digits":
        if not learnable:
            raise UsageError(
                f"--features is 'digits', but the pictures are {list(image_shape)} of {dataset}, and must be "
                f"{list(IMAGE_SHAPE)} of {', '.join(_LEAST_ACCURACY)}."
            )
        return digit_features(dataset, data_dir, classifier)
    if classifier:
        raise UsageError(f"--classifier is {classifier!r}, but random_conv features have no classifier.")
    return RandomConvFeatures(image_shape)
