"""Features of picture files, computed and cached, against the network's own rate of inference, in pictures/s.

    python -m bin.benchmark features --pictures=1000 --rounds=5

JPEGs of 500 x 375 pixels, a common size in collections of photos, are drawn into a temporary folder. Each round takes
some of them all the way from the file to the features on the disk, and passes as many pictures that are in memory
through the network, in batches of the same size; the ratio is taken round by round. Runs unchanged on a GPU.
"""

import os
import tempfile

import numpy as np
from absl import flags

from tf2cases import quiet
from tf2cases.benchmarks import pictures, rounds
from tf2cases.configs.inception_v3 import WEIGHTS_DIR


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("pictures", 1000, "Pictures in all.", lower_bound=1, flag_values=values)
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

        base.model.answer(images)  # traced, and the allocator knows the size
        measured = rounds.race({"caching": caching, "network": network}, number)
    print(rounds.title())
    rounds.show(measured, [("pictures/s", ".2f"), ("CPU ms/picture", ".1f")], compared=("caching", "network"))
