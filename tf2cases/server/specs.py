"""What a request asks for, and what is known of a model: plain records that both front ends use."""

import dataclasses
import enum
from collections.abc import Mapping

import numpy as np

from tf2cases.server.errors import Code

DEFAULT_SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """Which model a request is for.

    Attributes:
      name: the model's name.
      version: the version's number; None for the one of `label`, or the newest without a label.
      label: the version's label, or None; never given together with `version`.
    """

    name: str
    version: int | None = None
    label: str | None = None


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """An input or output of a signature.

    Attributes:
      name: of the tensor in the graph, such as "serving_default_images:0".
      dtype: its NumPy type; object for strings.
      type_name: the name of its type in TensorFlow's messages, such as "DT_FLOAT".
      shape: its dimensions, None where they are unknown; None if even their number is.
    """

    name: str
    dtype: np.dtype
    type_name: str
    shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature of a loaded version.

    Attributes:
      name: its name.
      method: its method name, such as "tensorflow/serving/predict".
      inputs, outputs: {name: TensorSpec}, sorted by name.
    """

    name: str
    method: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


class State(enum.IntEnum):
    """States of a version, with the numbers of `ModelVersionStatus.State`."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """The state of one version; `code` and `message` say why it failed."""

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""
