"""Computing and caching features of picture files against inference alone, in pictures/s.

    python -m bin.benchmark features --pictures=1000 --rounds=5

JPEGs of 500 x 375 pixels, a common size in collections of photos, are drawn into a temporary folder. Each round
processes some of them from the file to the features on the disk, and runs the same number of pictures in memory through
the network, in batches of the same size; the ratio is computed per round. Runs unchanged on a GPU.
"""

import os
import tempfile

import numpy as np
from absl import flags

from tf2cases import quiet
from tf2cases.benchmarks import pictures, rounds
from tf2cases.configs.inception_v3 import WEIGHTS_DIR


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer(
        "pictures", 1000, "Total number of pictures.", lower_bound=1, upper_bound=10**7, flag_values=values
    )
    rounds.define_rounds(values, 5)


def main(values: flags.FlagValues) -> None:
    quiet.import_tensorflow()
    from tf2cases.inception_v3 import extractor

    base, number = extractor.load("random", WEIGHTS_DIR), values.rounds
    count = -(-values.pictures // number)
    batches = -(-count // extractor.BATCH)
    with tempfile.TemporaryDirectory() as folder:
        paths = pictures.draw(os.path.join(folder, "pictures"), count * number, (500, 375), noise=8)
        images = base.model.read(paths[0])[np.newaxis].repeat(extractor.BATCH, axis=0)
        unseen = iter(paths[i : i + count] for i in range(0, len(paths), count))

        def caching() -> int:
            return len(base.features(next(unseen), os.path.join(folder, "cache")))

        def network() -> int:
            for _ in range(batches):
                base.model.answer(images)
            return batches * extractor.BATCH

        base.model.answer(images)  # warm-up: traces the function and grows the allocator's pool
        measured = rounds.race({"caching": caching, "network": network}, number)
    print(rounds.title())
    rounds.show(measured, [("pictures/s", ".2f"), ("CPU ms/picture", ".1f")], compared=("caching", "network"))
