"""What the page is told about the models: their signatures, and what their cards say."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from tf2cases.errors import UsageError
from tf2cases.serving import card, directories

Metadata = Callable[[str], Awaitable[Mapping[str, Any] | None]]
"""Takes a model's name; returns the server's answer to /v1/models/NAME/metadata, or None if it has no such model."""

# What the page needs of a card. Among the rest are checksums, long examples, and paths on the server's computer.
_FACTS: Final = ("case", "data", "metrics", "step", "units", "answers")
_LONGEST_EXAMPLE: Final = 500  # characters as JSON
_SETTINGS: Final = ("dataset", "model", "recipe", "charset", "noise")
# The dtypes of the metadata in words, as cards have them; others are shown as they are.
_DTYPES: Final = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_STRING": "string",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_BOOL": "bool",
}


def described(name: str, version: int | str, signatures: Mapping[str, Any], folder: str | None) -> dict[str, Any]:
    """What /playground/models.json says about a model.

    Args:
      name, version: of the model.
      signatures: {name: {"inputs" and "outputs": {name: {"dtype", "shape", ...}}}}.
      folder: of the version, if it is on this computer; its card is read.
    """
    return {"name": name, "version": str(version), "signatures": signatures, "card": facts(_card(folder))}


def facts(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the page needs of a card; None if there is none."""
    if found is None:
        return None
    settings = found.get("config")
    settings = settings if isinstance(settings, Mapping) else {}
    examples = found.get("examples")
    examples = examples if isinstance(examples, Mapping) else {}
    # Other weights may be a path.
    is_random = "random" in (found.get("weights"), settings.get("weights"))
    return {
        **{key: found[key] for key in _FACTS if key in found},
        **({"random_weights": True} if is_random else {}),
        "examples": {key: one for key, one in examples.items() if len(json.dumps(one)) <= _LONGEST_EXAMPLE},
        "config": {key: settings[key] for key in _SETTINGS if key in settings},
    }


def of(signatures: Mapping[str, Any]) -> dict[str, Any]:
    """The signatures of a served version in the form of `described`.

    Args:
      signatures: {name: an object with `inputs` and `outputs`, {name: an object with `dtype` and `shape`}}.
    """

    def tensors(specs):
        dtypes = {key: "string" if spec.dtype == object else spec.dtype.name for key, spec in specs.items()}
        return {
            key: {"dtype": dtypes[key], "shape": None if spec.shape is None else list(spec.shape)}
            for key, spec in specs.items()
        }

    return {
        name: {"inputs": tensors(one.inputs), "outputs": tensors(one.outputs)}
        for name, one in sorted(signatures.items())
        if not name.startswith("__")
    }


def of_metadata(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The signatures in a server's answer to /v1/models/NAME/metadata, in the form of `described`.

    Raises:
      KeyError, TypeError, AttributeError, ValueError: it is no such answer.
    """
    found = answer["metadata"]["signature_def"]["signature_def"]
    return {
        name: {
            kind: {key: _tensor(value) for key, value in one.get(kind, {}).items()} for kind in ("inputs", "outputs")
        }
        for name, one in found.items()
        if not name.startswith("__")
    }


class Backend:
    """The models of another server: those of a folder of exports, or those with given names."""

    def __init__(self, where: str, metadata: Metadata):
        """Creates the list.

        Args:
          where: the folder of exports, or names separated by commas.
          metadata: asks the server.

        Raises:
          UsageError: it is neither.
        """
        self._metadata = metadata
        self._folder = where if os.path.isdir(where) else None
        self._names = [name.strip() for name in where.split(",")]
        if self._folder is None and (os.sep in where or not all(self._names)):
            raise UsageError(
                f"--models is {where!r}, but must be the folder with the exports, or the names of models, separated by "
                "commas."
            )
        if self._folder is not None and not _models_in(self._folder):
            raise UsageError(f"--models is {where!r}, but must have a folder with an exported model in it.")

    async def __call__(self) -> list[dict[str, Any]]:
        """The models as `described`, in the order of the given names, or of the folder's.

        A model with a card in the folder is described by it. The server is asked about any other, and what it does not
        have is left out.
        """
        names = self._names if self._folder is None else _models_in(self._folder)
        found = await asyncio.gather(*(self._model(name) for name in names))
        return [model for model in found if model is not None]

    async def _model(self, name: str) -> dict[str, Any] | None:
        folder = None if self._folder is None else directories.newest_version(os.path.join(self._folder, name))
        read = _card(folder)
        if folder is not None and read is not None and isinstance(read.get("signatures"), dict):
            return described(name, int(os.path.basename(folder)), read["signatures"], folder)
        answer = await self._metadata(name)
        if answer is None:
            return None
        try:
            return described(name, answer["model_spec"]["version"], of_metadata(answer), folder)
        except (KeyError, TypeError, AttributeError, ValueError):
            return None


def _models_in(folder: str) -> Sequence[str]:
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    return [name for name in names if directories.newest_version(os.path.join(folder, name))]


def _card(folder: str | None) -> dict[str, Any] | None:
    """The card of a version; None if it has none, or a damaged one."""
    try:
        return None if folder is None else card.read(folder)
    except UsageError:
        return None


def _tensor(value: Mapping[str, Any]) -> dict[str, Any]:
    form = value.get("tensor_shape", {})
    sizes = [int(dimension["size"]) for dimension in form.get("dim", [])]
    shape = None if form.get("unknown_rank") else [None if size < 0 else size for size in sizes]
    return {"dtype": _DTYPES.get(value["dtype"], value["dtype"]), "shape": shape}
