"""Runs an exported model on picture files.

    python -m bin.predict --model=exports/mnist_cnn digit.png
    python -m bin.predict --model=exports/captcha --json captchas/*.png

All pictures go through the model in one batch; one line is printed for each: the file, the answer and its probability.
Reads PNG, JPEG, GIF, BMP, WebP, TIFF and PPM files with one picture, regardless of their names.

Digits may be bright on a dark background, like MNIST's, or dark on light paper: a picture whose border is brighter than
half is inverted. There must be one digit, anywhere on the page; a picture of 28x28 pixels is used as it is. The answer
of a captcha reader is the text and the product of the probabilities of its characters.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from tf2cases.data.pictures import files as picture_files
from tf2cases.errors import UsageError
from tf2cases.programs import exports

if TYPE_CHECKING:
    from tf2cases.serving.model import Model

REQUIRED, POSITIONAL = ("model",), "PICTURE..."

_PREFERRED_SIGNATURES = ("classify_bytes", "read_bytes")
_CERTAINTIES = ("confidence", "probability", "probabilities")


def define(values: flags.FlagValues) -> None:
    exports.define_model(values)
    flags.DEFINE_bool("json", False, "Print a JSON object per line, with all outputs of the model.", flag_values=values)


def main(values: flags.FlagValues, paths: list[str]) -> None:
    if not paths:
        raise UsageError("no picture is given: name at least one picture file.")
    pictures = [picture_files.read(path) for path in paths]
    model = exports.load(values.model)
    outputs = exports.ask(model, _bytes_signature(model), paths, pictures)
    outputs = {name: value for name, value in outputs.items() if not name.endswith("_bytes")}
    for row, path in enumerate(paths):
        answer = {name: value[row] for name, value in outputs.items()}
        print(_as_json(path, answer) if values.json else _as_line(path, answer))


def _bytes_signature(model: "Model") -> str:
    """Returns the name of the signature whose only input is encoded pictures."""
    names = [name for name, specs in model.signatures.items() if list(specs) == ["image_bytes"]]
    if not names:
        raise UsageError(
            f"{model.path} cannot be run on pictures: none of its signatures "
            f"({', '.join(model.signatures)}) takes image_bytes as its only input."
        )
    return next((name for name in _PREFERRED_SIGNATURES if name in names), names[0])


def _as_line(path: str, answer: dict[str, Any]) -> str:
    """Tab-separated: the path, the first string among the outputs, and the model's certainty."""
    texts = [_plain(value) for value in answer.values() if isinstance(value, bytes)]
    certainty = _certainty(answer)
    return "\t".join([path, *texts[:1], *([] if certainty is None else [f"{certainty:.4f}"])])


def _as_json(path: str, answer: dict[str, Any]) -> str:
    certainty = _certainty(answer)
    if certainty is not None and not {"confidence", "probability"} & set(answer):
        answer = {**answer, "probability": certainty}
    return json.dumps({"path": path, **answer}, ensure_ascii=False, default=_plain)


def _certainty(answer: dict[str, Any]) -> float | None:
    """The maximum of the first output that states the model's certainty, or None."""
    return next((float(np.max(answer[name])) for name in _CERTAINTIES if name in answer), None)


def _plain(value: Any) -> Any:
    """Converts arrays, NumPy scalars and bytes to JSON types."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value.tolist()
