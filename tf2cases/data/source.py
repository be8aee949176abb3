"""A data set in memory: two splits of arrays, and the facts about them that a model keeps."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np

from tf2cases.errors import UsageError


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A data set in memory.

    Attributes:
      name: the name it was asked for by.
      train: arrays by name, equal in their leading dimension. Pictures with labels are
        "images" uint8 [N, H, W, C] and "labels" uint8 [N]; tables are "features" float32 [N, n]
        and "targets" float32 [N]. The arrays may be read-only.
      test: likewise.
      info: what a model needs to be rebuilt without the data; JSON can hold it.
    """

    name: str
    train: Mapping[str, np.ndarray]
    test: Mapping[str, np.ndarray]
    info: Mapping[str, object]

    def __post_init__(self) -> None:
        for split in (self.train, self.test):
            if len({len(array) for array in split.values()}) != 1:
                shapes = {name: array.shape for name, array in split.items()}
                raise ValueError(f"arrays of {self.name!r} differ in their leading dimension: {shapes}.")


def checkout_path(name: str) -> str:
    """The path of `testdata/NAME`, which belongs to the checkout and not to the package.

    Raises:
      UsageError: it is not there, as when only the package is installed.
    """
    checkout = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.path.join(checkout, "testdata", name)
    if not os.path.exists(path):
        raise UsageError(
            f"testdata/{name} is not at {path}: it belongs to the checkout, not to the installed "
            "package, so run from a checkout installed with `pip install -e .`, or pass data of "
            "your own."
        )
    return path
