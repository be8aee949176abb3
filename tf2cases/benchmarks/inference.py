"""Inference with Inception-v3 against Keras' InceptionV3 in a tf.function, in pictures/s.

    python -m bin.benchmark inference --batch_sizes=1,16 --rounds=7

Both compute 1,000 probabilities from float32 pictures in memory, with the same weights; their answers are compared
first. Each round measures both for --seconds in turn; the ratio is computed per round. Runs unchanged on a GPU.
"""

import functools
import os
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from tf2cases import quiet
from tf2cases.benchmarks import rounds
from tf2cases.errors import RunError, UsageError

if TYPE_CHECKING:
    import tensorflow as tf


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_list("batch_sizes", ["1", "16"], "Pictures per batch, separated by commas.", flag_values=values)
    rounds.define_rounds(values, 7, 4.0)


def main(values: flags.FlagValues) -> None:
    sizes = values.batch_sizes
    if not sizes or not all(size.isdecimal() and len(size) < 6 and int(size) for size in sizes):
        raise UsageError(
            f"--batch_sizes is {','.join(sizes)!r}, but must be integers from 1 to 99,999 separated by commas."
        )
    quiet.import_tensorflow()
    contenders = make_contenders()
    print(rounds.title())
    for size in map(int, sizes):
        images = _images(size)
        works = {name: functools.partial(_answered, contender, images) for name, contender in contenders.items()}
        for work in works.values():  # warm-up: traces the function and grows the allocator's pool
            work()
            work()
        print(f"batch {size}")
        columns = [("pictures/s", ".2f"), ("CPU ms/picture", ".1f")]
        rounds.show(rounds.race(works, values.rounds, values.seconds), columns, compared=("tf2cases", "keras"))


def make_contenders() -> "dict[str, Callable[[tf.Tensor], np.ndarray]]":
    """{"tf2cases", "keras": float32 [N, 299, 299, 3] in [0, 1] -> probabilities [N, 1000]}, with equal weights.

    Raises:
      RunError: their answers differ.
    """
    import keras
    import tensorflow as tf

    from tf2cases import inception_v3

    model = keras.applications.InceptionV3(weights=None)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keras.weights.h5")
        model.save_weights(path)
        loaded = inception_v3.weights.load(path)
    names = [str(number) for number in range(1000)]
    predict = inception_v3.InceptionV3(loaded.network, loaded.preprocessing, names).signatures()["serving_default"]
    spec = tf.TensorSpec([None, *inception_v3.IMAGE_SHAPE], tf.float32)
    traced = tf.function(lambda images: model(2 * images - 1, training=False), input_signature=[spec])
    contenders = {
        "tf2cases": lambda images: predict(images=images)["probabilities"].numpy(),
        "keras": lambda images: traced(images).numpy(),
    }
    ours, theirs = (contender(_images(2)) for contender in contenders.values())
    gap = float(np.abs(ours - theirs).max())
    if not gap < 1e-4:
        raise RunError(f"the probabilities differ from Keras' by {gap:.3g}, but at most 0.0001 is allowed.")
    return contenders


def _images(count: int) -> "tf.Tensor":
    import tensorflow as tf

    from tf2cases import inception_v3

    return tf.constant(np.random.default_rng(0).uniform(0, 1, [count, *inception_v3.IMAGE_SHAPE]), tf.float32)


def _answered(contender: "Callable[[tf.Tensor], np.ndarray]", images: "tf.Tensor") -> int:
    return len(contender(images))
