"""Encoded pictures as a server receives them: PNG files, and tf.Examples with one each (the Classify API)."""

import numpy as np
import tensorflow as tf

FEATURE = "image_bytes"  # of a tf.Example


def png_files(images: np.ndarray) -> np.ndarray:
    """PNG files, bytes [N], of pictures uint8 [N, H, W, C]."""
    return np.array([tf.io.encode_png(image).numpy() for image in images], object)


def examples(files: np.ndarray) -> np.ndarray:
    """Serialized tf.Examples, bytes [N], with one encoded picture each."""

    def example(file: bytes) -> bytes:
        feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[file]))
        return tf.train.Example(features=tf.train.Features(feature={FEATURE: feature})).SerializeToString()

    return np.array([example(file) for file in files], object)


def parse_examples(serialized: tf.Tensor) -> tf.Tensor:
    """The encoded pictures, string [N], of serialized tf.Examples, string [N]."""
    return tf.io.parse_example(serialized, {FEATURE: tf.io.FixedLenFeature([], tf.string)})[FEATURE]
