"""Data classes that the core and both front ends share: model specs, signatures and version statuses."""

import dataclasses
import enum
from collections.abc import Mapping

import numpy as np

from tf2cases.server.errors import Code

DEFAULT_SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """The model, and version, that a request is for.

    Attributes:
      name: the model's name.
      version: the version's number; None: the version of `label`, or the newest if there is no label.
      label: the version label, or None; never set together with `version`.
    """

    name: str
    version: int | None = None
    label: str | None = None


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """An input or output of a signature.

    Attributes:
      name: the tensor's name in the graph, such as "serving_default_images:0".
      dtype: the NumPy dtype; object for strings.
      type_name: the name of the dtype in TensorFlow's messages, such as "DT_FLOAT".
      shape: the dimensions, None where unknown; None if the rank is unknown.
    """

    name: str
    dtype: np.dtype
    type_name: str
    shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature of a loaded version.

    Attributes:
      name: the signature's name.
      method: the method name, such as "tensorflow/serving/predict".
      inputs, outputs: {name: TensorSpec}, sorted by name.
    """

    name: str
    method: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


class State(enum.IntEnum):
    """The states of a version, with the numbers of `ModelVersionStatus.State`."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """The state of a version; `code` and `message` tell the error if loading failed."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""
