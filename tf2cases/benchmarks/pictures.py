"""Preparing pictures for training: JPEG files in a folder and in a zip, and drawn faces, in pictures/s.

    python -m bin.benchmark pictures --pictures=3000 --rounds=5

The JPEGs are made in a temporary folder: smooth random pictures of CelebA's size, 178 x 218. Each round prepares each
kind once, in turn.
"""

import contextlib
import functools
import io
import os
import tempfile
import zipfile

import numpy as np
from absl import flags
from PIL import Image

from tf2cases.benchmarks import rounds
from tf2cases.data import sources

_WIDTH, _HEIGHT = 178, 218
_QUALITY = 92


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("pictures", 3000, "Pictures per kind and round.", lower_bound=100, flag_values=values)
    flags.DEFINE_integer("size", 64, "Side of the prepared pictures in pixels.", lower_bound=4, flag_values=values)
    rounds.define_rounds(values, 5)


def main(values: flags.FlagValues) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measured = compare(folder, values.pictures, values.rounds, values.size)
    print(f"{values.pictures:,} pictures to {values.size} x {values.size}; median [min .. max]")
    rounds.show(measured, [("pictures/s", ",.0f")])


def compare(folder: str, pictures: int, count: int, size: int) -> dict[str, list[rounds.Numbers]]:
    """Measures all kinds in turn.

    Args:
      folder: an empty one, for the pictures and what is prepared of them.
      pictures: per kind and round.
      count: rounds.
      size: side of the prepared pictures.
    """
    jpegs, archive = os.path.join(folder, "files"), os.path.join(folder, "files.zip")
    write(jpegs, pictures)
    with zipfile.ZipFile(archive, "w") as opened:
        for name in sorted(os.listdir(jpegs)):
            opened.write(os.path.join(jpegs, name), name)
    faces = dict(train_count=pictures - 1, test_count=1)
    kinds = {"folder": ("folder", jpegs, {}), "zip": ("folder", archive, {}), "toy_faces": ("toy_faces", "", faces)}

    def prepare(dataset: str, data_dir: str, options: dict[str, int]) -> int:
        with tempfile.TemporaryDirectory(dir=folder) as cache_dir, contextlib.redirect_stdout(io.StringIO()):
            sources.load(dataset, data_dir, size=size, cache_dir=cache_dir, **options)
        return pictures

    return rounds.race({kind: functools.partial(prepare, *arguments) for kind, arguments in kinds.items()}, count)


def write(folder: str, pictures: int) -> None:
    """Writes smooth random JPEGs, 000001.jpg and so on, into a new folder."""
    os.makedirs(folder)
    rng = np.random.default_rng(0)
    for i in range(pictures):
        small = Image.fromarray(rng.integers(0, 256, [14, 11, 3], np.uint8))
        picture = small.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)
        picture.save(os.path.join(folder, f"{i + 1:06d}.jpg"), quality=_QUALITY)
