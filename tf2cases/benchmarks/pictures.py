"""Measures how fast pictures are prepared: JPEG files in a folder and in a zip, and drawn faces.

    python -m bin.benchmark_pictures --pictures=3000 --rounds=5

The JPEGs are made in a temporary folder: smooth random pictures of CelebA's size, 178 x 218. Each round prepares each
kind once, in turn, so that a machine whose speed drifts treats them alike.
"""

import contextlib
import io
import os
import tempfile
import time
import zipfile

import numpy as np
from absl import flags
from PIL import Image

from tf2cases.data import sources
from tf2cases.programs import common

_WIDTH, _HEIGHT = 178, 218
_QUALITY = 92


def define(values):
    flags.DEFINE_integer("pictures", 3000, "Pictures a kind and round.", lower_bound=100, flag_values=values)
    flags.DEFINE_integer("rounds", 5, "Rounds.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("size", 64, "Side of the prepared pictures.", lower_bound=4, flag_values=values)


def main(values):
    with tempfile.TemporaryDirectory() as folder:
        rates = compare(folder, values.pictures, values.rounds, values.size)
    print(f"{values.pictures:,} pictures to {values.size} x {values.size}; median [min .. max] of pictures/s")
    for kind, measured in rates.items():
        print(f"  {kind:9}  {common.spread(measured, ',.0f')}")


def compare(folder, pictures, rounds, size):
    """Measures all kinds in turn.

    Args:
      folder: an empty one, for the pictures and what is prepared of them.
      pictures, rounds, size: ints.

    Returns:
      {kind: [pictures a second, one for each round]}.
    """
    files, archive = os.path.join(folder, "files"), os.path.join(folder, "files.zip")
    write(files, pictures)
    with zipfile.ZipFile(archive, "w") as opened:
        for name in sorted(os.listdir(files)):
            opened.write(os.path.join(files, name), name)
    kinds = {
        "folder": lambda cache_dir: sources.load("folder", files, size=size, cache_dir=cache_dir),
        "zip": lambda cache_dir: sources.load("folder", archive, size=size, cache_dir=cache_dir),
        "toy_faces": lambda cache_dir: sources.load(
            "toy_faces", size=size, cache_dir=cache_dir, train_count=pictures - 1, test_count=1
        ),
    }
    rates = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, load in kinds.items():
            with tempfile.TemporaryDirectory(dir=folder) as cache_dir, contextlib.redirect_stdout(io.StringIO()):
                started = time.perf_counter()
                load(cache_dir)
                rates[kind].append(pictures / (time.perf_counter() - started))
    return rates


def write(folder, pictures):
    """Writes smooth random JPEGs, 000001.jpg and so on, into a new folder."""
    os.makedirs(folder)
    rng = np.random.default_rng(0)
    for i in range(pictures):
        small = Image.fromarray(rng.integers(0, 256, [14, 11, 3], np.uint8))
        picture = small.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)
        picture.save(os.path.join(folder, f"{i + 1:06d}.jpg"), quality=_QUALITY)
