"""Inception-v3 with everything around the network, from pictures to classes or features."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import files
from tf2cases.data import threads
from tf2cases.data.pictures import encoded
from tf2cases.data.pictures import files as picture_files
from tf2cases.data.pictures.graph import Decoding, decode
from tf2cases.errors import UsageError
from tf2cases.inception_v3.network import FEATURES, IMAGE_SHAPE, Network
from tf2cases.inception_v3.preprocessing import Preprocessing


class InceptionV3(tf.Module):
    """A network, folded for inference, with the preprocessing and the class names that belong to it.

    Attributes:
      network: the folded copy of the network.
      preprocessing: its `Preprocessing`.
      class_names: [str], one for each output; [] for a network that ends with the features.
      top_k: number of classes in an answer, best first.
    """

    def __init__(self, network: Network, preprocessing: Preprocessing, class_names: Sequence[str] = (), top_k: int = 5):
        """Args:
          network: an unfolded `Network`; its values are copied.
          preprocessing: a `Preprocessing`.
          class_names: one for each of the network's classes.
          top_k: number of classes in an answer, at least 1; capped at `network.classes`.

        Raises:
          UsageError: the numbers of names and classes differ.
        """
        super().__init__(name="inception_v3")
        if len(class_names) != network.classes:
            raise UsageError(
                f"there are {len(class_names):,} class names, but the network has {network.classes:,} classes."
            )
        self.preprocessing = preprocessing
        self.class_names = tuple(class_names)
        self.top_k = min(top_k, network.classes)
        self.network = network.fold()
        self._infer = tf.function(
            self._answer, input_signature=[tf.TensorSpec([None, *IMAGE_SHAPE], tf.float32, "images")]
        )
        self._decode = tf.function(
            lambda file: preprocessing.to_image(decode(file, Decoding(dct_method=preprocessing.dct_method))),
            input_signature=[tf.TensorSpec([], tf.string)],
        )
        self._resize = tf.function(
            lambda images: preprocessing.to_image(tf.pad(images, [[0, 0]] * 3 + [[0, 1]], constant_values=255)),
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)],
        )

    def _answer(self, images):
        """float32 [N, 299, 299, 3] in [0, 1] -> {"features": [N, 2048], "probabilities": [N, classes]}."""
        features = self.network.features(self.preprocessing.scaled(images))
        answer = {"features": features}
        if self.network.logits:
            answer["probabilities"] = tf.nn.softmax(self.network.logits(features))
        return answer

    def answer(self, images: Any) -> dict[str, np.ndarray]:
        """Runs the network on pictures in memory.

        Args:
          images: uint8 [N, H, W, 3] of any size, float32 [N, 299, 299, 3] in [0, 1], or a list of encoded pictures.

        Returns:
          {"features": float32 [N, 2048], "probabilities": float32 [N, classes]}, the latter if there are classes.

        Raises:
          UsageError: the images have another shape or type.
          tf.errors.InvalidArgumentError: bytes are not a picture, see `pictures.graph.decode`.
        """
        if isinstance(images, (list, tuple)):
            images = np.stack([self._decode(tf.constant(file)) for file in images])
        images = np.asarray(images)
        if images.dtype == np.uint8 and images.ndim == 4 and images.shape[3] == 3:
            images = self._resize(images)
        elif images.dtype != np.float32 or images.shape[1:] != IMAGE_SHAPE:
            raise UsageError(
                f"images are {images.dtype} {list(images.shape)}, but must be uint8 [N, H, W, 3], float32 "
                "[N, 299, 299, 3], or a list of encoded pictures."
            )
        return {name: value.numpy() for name, value in self._infer(images).items()}

    def features(self, images: Any, batch_size: int = 16) -> np.ndarray:
        """The features of pictures in memory, a batch at a time.

        Args:
          images: as for `answer`.

        Returns:
          float32 [N, 2048].
        """
        batches = [self.answer(images[i : i + batch_size])["features"] for i in range(0, len(images), batch_size)]
        return np.concatenate(batches) if batches else np.zeros([0, FEATURES], np.float32)

    def stream(
        self, paths: Sequence[str], batch_size: int = 16, bad: Callable | None = None
    ) -> Iterator[tuple[list[str], dict[str, np.ndarray]]]:
        """Runs the network on picture files, and reads and decodes ahead while it computes.

        Args:
          paths: list of paths.
          batch_size: pictures per batch.
          bad: see `pictures`.

        Yields:
          (paths, answer) for each batch, as `answer` returns it.

        Raises:
          UsageError: a file is not a supported picture; the message names it.
        """
        pictures = self.pictures(paths, 2 * batch_size, bad)
        while batch := list(itertools.islice(pictures, batch_size)):
            names, images = zip(*batch, strict=True)
            yield list(names), {name: value.numpy() for name, value in self._infer(np.stack(images)).items()}

    def pictures(
        self, paths: Sequence[str], ahead: int = 32, bad: Callable | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Reads and decodes picture files in threads.

        Args:
          paths: list of paths.
          ahead: number of pictures to read ahead.
          bad: called with (path, UsageError) for a file that is not a picture, which is then skipped; by default the
            error is raised.

        Yields:
          (path, image) in order, as `read` returns it.

        Raises:
          UsageError: see `read`.
        """

        def read(path):
            try:
                return self.read(path)
            except UsageError as error:
                return error

        for path, image in threads.in_order(read, paths, ahead):
            if not isinstance(image, UsageError):
                yield path, image
            elif bad:
                bad(path, image)
            else:
                raise image

    def read(self, path: str) -> np.ndarray:
        """Reads a picture file as float32 [299, 299, 3] in [0, 1].

        Raises:
          UsageError: the file is not a supported picture.
        """
        data = picture_files.read(path)
        try:
            return self._decode(tf.constant(data)).numpy()
        except tf.errors.InvalidArgumentError as error:
            raise UsageError(f"{path}: the picture cannot be decoded ({files.reason(error)}).") from error

    def signatures(self) -> dict[str, Callable]:
        """The signatures to export: {name: tf.function with an input signature}.

        Raises:
          UsageError: the network has no last layer.
        """
        if not self.network.logits:
            raise UsageError("these weights have no last layer, so they can compute features, but not be exported.")
        names, k = tf.constant(self.class_names), self.top_k

        def ranked(files):
            scores, order = tf.math.top_k(self._answer(self.preprocessing.decode(files))["probabilities"], k)
            return {"classes": tf.gather(names, order), "scores": scores}

        @tf.function(input_signature=[tf.TensorSpec([None, *IMAGE_SHAPE], tf.float32, "images")])
        def serving_default(images):
            """Pictures in [0, 1] to the probabilities of all classes."""
            return {"probabilities": self._answer(images)["probabilities"]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def classify_bytes(image_bytes):
            """Picture files of any size to the best classes, best first."""
            return ranked(image_bytes)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def features_bytes(image_bytes):
            """Picture files of any size to the input of the last layer."""
            return {"features": self._answer(self.preprocessing.decode(image_bytes))["features"]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
        def classify(inputs):
            """Serialized tf.Examples with the picture file in the feature `image_bytes` (the Classify API)."""
            return ranked(encoded.parse_examples(inputs))

        return {
            "serving_default": serving_default,
            "classify_bytes": classify_bytes,
            "features_bytes": features_bytes,
            "classify": classify,
        }

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        """A request of two rows for each signature, for warm-up and for checking an export."""
        y, x = np.mgrid[0:1:299j, 0:1:299j]
        images = np.stack([np.stack([x, y, 1 - x], -1), np.stack([y * x, x, y], -1)]).astype(np.float32)
        files = encoded.png_files((images[:, ::3, ::2] * 255).astype(np.uint8))
        return {
            "serving_default": {"images": images},
            "classify_bytes": {"image_bytes": files},
            "features_bytes": {"image_bytes": files},
            "classify": {"inputs": encoded.examples(files)},
        }


def best(probabilities: np.ndarray, class_names: Sequence[str], top_k: int) -> list[tuple[str, float]]:
    """The best classes of one picture.

    Args:
      probabilities: float32 [classes].
      class_names: [str], one per class.
      top_k: maximum number of classes.

    Returns:
      [(name, score)], best first.
    """
    order = np.argsort(-probabilities, kind="stable")[:top_k]
    return [(class_names[i], float(probabilities[i])) for i in order]
