"""Measures inference, in pictures a second, against Keras' InceptionV3 called in a tf.function, in interleaved rounds.

    python -m bin.benchmark_inception --batch_sizes=1,16 --rounds=7

Both compute 1,000 probabilities from float32 pictures in memory, with the same weights; the answers are compared first.
Each round measures every contender for `--seconds` in turn, so that a machine whose speed drifts treats them alike; the
ratio is taken round by round. The CPU time of a picture, of all threads, is told beside it: what other programs of the
machine take from the rates, they do not take from that. Runs unchanged on a GPU.
"""

import os
import tempfile
import time

from tf2cases.programs import quiet as _quiet  # isort: skip  # noqa: F401  (before TensorFlow)

import numpy as np
import tensorflow as tf
from absl import flags

from tf2cases import inception_v3
from tf2cases.errors import RunError, UsageError
from tf2cases.programs import common
from tf2cases.training import distribution


def define(values):
    flags.DEFINE_list("batch_sizes", ["1", "16"], "Pictures at a time, with commas.", flag_values=values)
    flags.DEFINE_integer("rounds", 7, "Rounds.", lower_bound=1, flag_values=values)
    flags.DEFINE_float(
        "seconds", 4.0, "Length of one contender's turn, in seconds.", lower_bound=0.1, flag_values=values
    )


def main(values):
    sizes = values.batch_sizes
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise UsageError(f"--batch_sizes is {','.join(sizes)!r}, but must be positive integers with commas.")
    contenders = make_contenders()
    print(f"{distribution.device_name()}; TensorFlow {tf.__version__}; float32; median [min .. max] of pictures/s")
    for size in map(int, sizes):
        measured = compare(contenders, size, values.rounds, values.seconds)
        print(f"  batch {size}")
        for name, (rates, cpu) in measured.items():
            print(f"    {name:8}  {common.spread(rates, '.2f')}  CPU ms a picture {common.spread(cpu, '.1f')}")
        (ours, our_cpu), (keras, keras_cpu) = measured.values()
        ratios = [a / b for a, b in zip(ours, keras, strict=True)]
        cpu_ratios = [b / a for a, b in zip(our_cpu, keras_cpu, strict=True)]
        print(f"    ratio     {common.spread(ratios, '.2f')}  by CPU time {common.spread(cpu_ratios, '.2f')}")


def make_contenders():
    """{"tf2cases", "keras": tf.function of float32 [N, 299, 299, 3] in [0, 1] -> probabilities}, with equal weights.

    Raises:
      RunError: they do not answer alike.
    """
    import keras

    model = keras.applications.InceptionV3(weights=None)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "keras.weights.h5")
        model.save_weights(path)
        loaded = inception_v3.weights.load(path)
    names = [str(number) for number in range(1000)]
    predict = inception_v3.InceptionV3(loaded.network, loaded.preprocessing, names).signatures()["predict"]
    spec = tf.TensorSpec([None, *inception_v3.IMAGE_SHAPE], tf.float32)
    contenders = {
        "tf2cases": lambda images: predict(images=images)["probabilities"],
        "keras": tf.function(lambda images: model(2 * images - 1, training=False), input_signature=[spec]),
    }
    ours, theirs = (contender(_images(2)).numpy() for contender in contenders.values())
    gap = float(np.abs(ours - theirs).max())
    if not gap < 1e-4:
        raise RunError(f"the probabilities differ from Keras' by {gap:.3g}, but at most 0.0001 is allowed.")
    return contenders


def _images(count):
    return tf.constant(np.random.default_rng(0).uniform(0, 1, [count, *inception_v3.IMAGE_SHAPE]), tf.float32)


def compare(contenders, batch_size, rounds, seconds):
    """Measures the contenders in turn: {name: ([pictures a second], [CPU ms a picture])}, one for each round."""
    images = _images(batch_size)
    measured = {name: ([], []) for name in contenders}
    for contender in contenders.values():  # traced, and the allocator knows the size
        contender(images).numpy()
        contender(images).numpy()
    for _ in range(rounds):
        for name, contender in contenders.items():
            calls, started, cpu = 0, time.perf_counter(), time.process_time()
            while time.perf_counter() - started < seconds:
                contender(images).numpy()  # waits for the device
                calls += 1
            pictures = calls * batch_size
            measured[name][0].append(pictures / (time.perf_counter() - started))
            measured[name][1].append(1000 * (time.process_time() - cpu) / pictures)
    return measured
