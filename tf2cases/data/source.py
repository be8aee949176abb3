"""The common form of all data sets: splits of arrays, and the metadata that a model keeps."""

import dataclasses
import importlib.resources
import os
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf2cases.errors import UsageError

_CHECKED_BYTES = 2**28  # how much `Source.fingerprint` reads of an array

Split = Mapping[str, Any]  # arrays by name, equal in their leading dimension; they may be memory maps


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A data set.

    Attributes:
      name: the data set's name.
      splits: "train" is for training; all others, including "test", are for evaluation. Pictures with labels are
        "images" uint8 [N, H, W, C] and "labels" uint8 [N]; tables are "features" float32 [N, n] and "targets" float32
        [N]. The arrays may be read-only.
      info: JSON-serializable metadata for rebuilding a model without the data.

    Raises (on construction):
      ValueError: the arrays of a split differ in their leading dimension.
    """

    name: str
    splits: Mapping[str, Split]
    info: Mapping[str, Any]

    def __post_init__(self) -> None:
        for split in self.splits.values():
            if len({len(array) for array in split.values()}) != 1:
                shapes = {name: array.shape for name, array in split.items()}
                raise ValueError(f"arrays of {self.name!r} differ in their leading dimension: {shapes}.")

    @property
    def train(self) -> Split:
        return self.splits["train"]

    @property
    def test(self) -> Split:
        return self.splits["test"]

    @property
    def held_out(self) -> dict[str, Split]:
        """The splits that are not trained on."""
        return {name: split for name, split in self.splits.items() if name != "train"}

    @property
    def examples(self) -> int:
        """The number of training examples."""
        return len(next(iter(self.train.values())))

    def fingerprint(self) -> dict[str, int]:
        """The identity of the training split: the number of examples, and checksums of all arrays.

        Of an array larger than `_CHECKED_BYTES`, only every nth row is read, so that this takes about a second.
        """
        sums = {"crc32": 0, "pictures_crc32": 0}
        for name, array in sorted(self.train.items()):
            key = "pictures_crc32" if name == "images" else "crc32"
            stride = max(1, -(-array.nbytes // _CHECKED_BYTES))
            for first in range(0, len(array), 1024 * stride):
                rows = np.ascontiguousarray(array[first : first + 1024 * stride : stride])
                sums[key] = zlib.crc32(rows.tobytes(), sums[key])
        return {"examples": self.examples, **sums}

    def without_labels(self) -> "Source":
        """The same source with only the pictures and, in `info`, their shape."""
        pictures = {name: {"images": split["images"]} for name, split in self.splits.items()}
        return Source(self.name, pictures, {"image_shape": self.info["image_shape"]})


def testdata_path(name: str) -> str:
    """The path of a file or folder of `testdata/`, which is installed as the package `tf2cases.testdata`.

    Raises:
      UsageError: it does not exist.
    """
    try:
        folder = str(importlib.resources.files("tf2cases.testdata"))
    except ModuleNotFoundError:  # a checkout that is not installed
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "testdata")
    path = os.path.normpath(os.path.join(folder, name))
    if not os.path.exists(path):
        raise UsageError(f"testdata/{name} is not at {path}: install tf2cases again, or pass your own data.")
    return path
