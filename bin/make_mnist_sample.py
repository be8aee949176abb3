"""Draws the MNIST sample in testdata from the original files, with the same number of each digit."""

import os
import sys

import numpy as np
from absl import flags

from tf2cases.configs import path_flags
from tf2cases.data import idx, mnist
from tf2cases.errors import UsageError
from tf2cases.programs import program

_PER_DIGIT = {"train": 400, "test": 100}


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("data_dir", None, "Folder with MNIST's four idx files, plain or .gz.", flag_values=values)
    path_flags.define("out", "testdata/mnist_sample", "Folder for the sample's four files.", path_flags.FOLDER, values)


def main(values: flags.FlagValues) -> None:
    if not values.data_dir:
        raise UsageError("--data_dir is missing: expected the folder with MNIST's four idx files.")
    source = mnist.load_idx(values.data_dir)
    # RandomState instead of Generator: NumPy guarantees that its stream never changes.
    rng = np.random.RandomState(0)
    chosen = {split: draw(getattr(source, split)["labels"], count, rng) for split, count in _PER_DIGIT.items()}
    os.makedirs(values.out, exist_ok=True)
    size = 0
    for split, rows in chosen.items():
        arrays = getattr(source, split)
        for file, array in zip(mnist.FILES[split], (arrays["images"][..., 0], arrays["labels"]), strict=True):
            path = os.path.join(values.out, f"{file}.gz")
            idx.write(path, array[rows])
            size += os.path.getsize(path)
    counts = " and ".join(f"{len(rows)} {split}" for split, rows in chosen.items())
    print(f"{counts} digits, {size} bytes, in {values.out}")


def draw(labels: np.ndarray, count: int, rng: np.random.RandomState) -> np.ndarray:
    """Draws `count` indices of every digit, in shuffled order.

    Args:
      labels: integers [N] in 0-9.
      count: number of indices per digit.
      rng: source of the random numbers.

    Returns:
      int64 [10 * count], each index at most once.

    Raises:
      UsageError: a digit occurs fewer than `count` times.
    """
    chosen = []
    for digit in range(10):
        candidates = np.flatnonzero(labels == digit)
        if len(candidates) < count:
            found = f"{len(candidates)} images of digit {digit} in a split"
            raise UsageError(f"--data_dir has {found}: expected at least {count}.")
        chosen.append(rng.permutation(candidates)[:count])
    return rng.permutation(np.concatenate(chosen))


if __name__ == "__main__":
    program.run(sys.modules[__name__])
