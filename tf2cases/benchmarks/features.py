"""Measures how fast the features of picture files are computed and kept, against the network's own rate of inference.

    python -m bin.benchmark_features --pictures=1000 --rounds=5

JPEGs of 500 x 375 pixels, about what collections of photos have, are drawn into a temporary folder. In each round some
of them go the whole way, from the file to the features on the disk, and as many pictures that are in memory already go
through the network, in batches of the same size; the ratio is taken round by round. The CPU time of a picture, of all
threads, is told beside it, for other programs of the machine do not change it. Runs unchanged on a GPU.
"""

import os
import tempfile
import time

from tf2cases.configs.inception_v3 import WEIGHTS_DIR

from tf2cases.programs import quiet as _quiet  # isort: skip  # noqa: F401  (before TensorFlow)

import numpy as np
import tensorflow as tf
from absl import flags
from PIL import Image

from tf2cases.inception_v3 import extractor
from tf2cases.programs import common
from tf2cases.training import distribution

_SIZE = (500, 375)


def define(values):
    flags.DEFINE_integer("pictures", 1000, "Pictures in all.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("rounds", 5, "Rounds.", lower_bound=1, flag_values=values)


def main(values):
    base = extractor.load("random", WEIGHTS_DIR)
    count = -(-values.pictures // values.rounds)
    rates, cpu = {"caching": [], "network": []}, {"caching": [], "network": []}
    with tempfile.TemporaryDirectory() as folder:
        paths = draw(os.path.join(folder, "pictures"), count * values.rounds)
        images = base.model.read(paths[0])[np.newaxis].repeat(extractor.BATCH, axis=0)
        ask = {
            "caching": lambda some: base.features(some, os.path.join(folder, "cache")),
            "network": lambda some: [base.model.answer(images) for _ in range(0, len(some), extractor.BATCH)],
        }
        ask["network"](paths[:1])  # traced, and the allocator knows the size
        for i in range(values.rounds):
            some = paths[i * count : (i + 1) * count]
            for name, function in ask.items():
                # The network computes whole batches.
                done = count if name == "caching" else -(-count // extractor.BATCH) * extractor.BATCH
                started, used = time.perf_counter(), time.process_time()
                function(some)
                rates[name].append(done / (time.perf_counter() - started))
                cpu[name].append(1000 * (time.process_time() - used) / done)
    print(f"{distribution.device_name()}; TensorFlow {tf.__version__}; float32; median [min .. max] of pictures/s")
    for name in ask:
        print(f"  {name}  {common.spread(rates[name], '.2f')}  CPU ms a picture {common.spread(cpu[name], '.1f')}")
    ratios = [a / b for a, b in zip(rates["caching"], rates["network"], strict=True)]
    by_cpu = [b / a for a, b in zip(cpu["caching"], cpu["network"], strict=True)]
    print(f"  ratio    {common.spread(ratios, '.2f')}  by CPU time {common.spread(by_cpu, '.2f')}")


def draw(folder, count):
    """Draws smooth pictures with a little noise, as photographs have; returns their paths."""
    os.makedirs(folder)
    rng, paths = np.random.default_rng(0), []
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, [12, 16, 3], np.uint8)).resize(_SIZE, Image.Resampling.BICUBIC)
        noisy = np.asarray(coarse) + rng.integers(-8, 9, [_SIZE[1], _SIZE[0], 1])
        paths.append(os.path.join(folder, f"{i}.jpg"))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(paths[-1], quality=90)
    return paths
