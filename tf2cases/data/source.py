"""What every data source gives: splits of arrays, and the facts that a model keeps of them."""

import dataclasses
import os
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf2cases.errors import UsageError

_CHECKED_BYTES = 2**28  # of an array that `Source.fingerprint` reads

Split = Mapping[str, Any]  # arrays by name, equal in their leading dimension; memory maps too


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A data set.

    Attributes:
      name: the name by which it was asked for.
      splits: "train" is what is trained on; on all others, "test" among them, the case is evaluated. Pictures with
        labels are "images" uint8 [N, H, W, C] and "labels" uint8 [N]; tables are "features" float32 [N, n] and
        "targets" float32 [N]. The arrays may be read-only.
      info: what a model needs to be rebuilt without the data; JSON can hold it.

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
        """What tells the training split from another: the number of examples, and checksums of all arrays.

        Of an array larger than `_CHECKED_BYTES` only every so many rows are read, so that a start takes a second.
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
        """The pictures alone, and of `info` their shape."""
        pictures = {name: {"images": split["images"]} for name, split in self.splits.items()}
        return Source(self.name, pictures, {"image_shape": self.info["image_shape"]})


def checkout_path(name: str) -> str:
    """The path of `testdata/NAME`, which belongs to the checkout and not to the package.

    Raises:
      UsageError: it is not there, as when only the package is installed.
    """
    checkout = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.path.join(checkout, "testdata", name)
    if not os.path.exists(path):
        raise UsageError(
            f"testdata/{name} is not at {path}: it belongs to the checkout, not to the installed package, so run from "
            "a checkout installed with `pip install -e .`, or pass data of your own."
        )
    return path
