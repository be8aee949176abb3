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

_CELEBA = (178, 218)


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer(
        "pictures", 3000, "Pictures per kind and round.", lower_bound=100, upper_bound=10**7, flag_values=values
    )
    flags.DEFINE_integer(
        "size", 64, "Side of the prepared pictures in pixels.", lower_bound=4, upper_bound=1024, flag_values=values
    )
    rounds.define_rounds(values, 5)


def main(values: flags.FlagValues) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measured = compare(folder, values.pictures, values.rounds, values.size)
    print(f"{values.pictures:,} pictures to {values.size} x {values.size}; median [min .. max]")
    rounds.show(measured, [("pictures/s", ",.0f")])


def compare(folder: str, pictures: int, count: int, size: int) -> dict[str, list[rounds.Numbers]]:
    """Measures all kinds in turn.

    Args:
      folder: an empty folder for the pictures and the prepared data.
      pictures: number of pictures per kind and round.
      count: number of rounds.
      size: side of the prepared pictures.
    """
    jpegs, archive = os.path.join(folder, "files"), os.path.join(folder, "files.zip")
    with zipfile.ZipFile(archive, "w") as opened:
        for path in draw(jpegs, pictures, _CELEBA):
            opened.write(path, os.path.basename(path))
    faces = dict(train_count=pictures - 1, test_count=1)
    kinds = {"folder": ("folder", jpegs, {}), "zip": ("folder", archive, {}), "toy_faces": ("toy_faces", "", faces)}

    def prepare(dataset: str, data_dir: str, options: dict[str, int]) -> int:
        with tempfile.TemporaryDirectory(dir=folder) as cache_dir, contextlib.redirect_stdout(io.StringIO()):
            sources.load(dataset, data_dir, size=size, cache_dir=cache_dir, **options)
        return pictures

    return rounds.race({kind: functools.partial(prepare, *arguments) for kind, arguments in kinds.items()}, count)


def draw(folder: str, count: int, size: tuple[int, int], noise: int = 0) -> list[str]:
    """Draws smooth random JPEGs, 000001.jpg and so on, into a new folder.

    Args:
      folder: the folder to create.
      count: number of pictures.
      size: their width and height.
      noise: the largest deviation of a pixel from the smooth picture, to imitate photographs.

    Returns:
      Their paths.
    """
    os.makedirs(folder)
    rng, paths = np.random.default_rng(0), []
    for i in range(count):
        smooth = Image.fromarray(rng.integers(0, 256, [14, 11, 3], np.uint8)).resize(size, Image.Resampling.BICUBIC)
        noisy = np.asarray(smooth) + rng.integers(-noise, noise + 1, [size[1], size[0], 1])
        paths.append(os.path.join(folder, f"{i + 1:06d}.jpg"))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(paths[-1], quality=92)
    return paths
