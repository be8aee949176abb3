"""The model card of an export: what it is, what its signatures take and answer, and a checksum of each of its files.

TensorFlow and TF Serving ignore the file. It is written last, so an export with a card is complete.
"""

import base64
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tf2cases import files
from tf2cases.errors import UsageError
from tf2cases.serving import batching
from tf2cases.serving.signatures import Signature

PATH = "assets.extra/model_card.json"


_MOST_NUMBERS = 1000  # of an example; for more, only the shape is given
_MOST_BYTES = 20_000
_FOREIGN = "does not belong to it"

# What inputs and outputs of these names are in all cases, and the range of numbers, None if they have no bounds.
_UNIT = (0.0, 1.0)
_MEANINGS: dict[str, tuple[str, tuple[float, float] | None]] = {
    "images": ("pictures, 0 is black and 1 is white", _UNIT),
    "reconstructions": ("pictures, 0 is black and 1 is white", _UNIT),
    "denoised": ("pictures, 0 is black and 1 is white", _UNIT),
    "probabilities": ("probabilities of the classes", _UNIT),
    "probability": ("probability", _UNIT),
    "scores": ("probabilities of the classes", _UNIT),
    "confidence": ("probability", _UNIT),
    "characters": ("probabilities of the characters", _UNIT),
    "features": ("numbers, each in its own unit", None),
    "price": ("predicted number, in its own unit", None),
    "mean": ("means of latents", None),
    "log_variance": ("logarithms of variances of latents", None),
    "image_bytes": ("picture files: PNG, JPEG or BMP", None),
    "denoised_bytes": ("PNG files", None),
    "inputs": ("serialized tf.Examples with a picture file in the feature image_bytes", None),
    "classes": ("names of the classes that the scores are of", None),
    "label": ("name of the most probable class", None),
    "text": ("the characters that were read", None),
    "digits": ("the characters one by one, in reading order", None),
    "confidences": ("probabilities of the characters", _UNIT),
    "boxes": ("top, left, bottom and right of each character, as parts of the picture", _UNIT),
    "certainty": ("how certain it is that each character is writing", _UNIT),
    "count": ("how many characters were found", (0, 32)),
}
# Where outputs are not what inputs of the same name are.
_OUTPUTS: dict[str, tuple[str, tuple[float, float] | None]] = {
    "image_bytes": ("PNG files", None),
    "features": ("activations of the last layer but one", None),
}
_STRINGS = ("inputs", "classes", "label", "text", "digits")  # the other names of strings end in _bytes
_TERMS = {
    "houses": "plain facts: the example set of the Stanford machine-learning course; or your own table",
    "mnist": "MNIST, Y. LeCun and C. Cortes, CC BY-SA 3.0",
    "mnist_sample": "MNIST, Y. LeCun and C. Cortes, CC BY-SA 3.0",
    "fashion_mnist": "Fashion-MNIST, Zalando SE, MIT License",
    "celeba": "CelebA, for non-commercial research only",
    "lfw": "Labeled Faces in the Wild, for research",
    "toy_faces": "drawn by this program",
    "captcha": "drawn by this program, or your own pictures",
    "folder": "your own pictures",
}


def terms(dataset: str) -> str:
    """The terms of use of a data set."""
    return _TERMS.get(dataset, "unknown")


def described(name: str, signatures: Mapping[str, Signature], units: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the card says about a signature.

    Args:
      name: of the signature.
      signatures: all of the model's.
      units: {name of an input or output: its unit}.

    Returns:
      {"inputs" and "outputs": {name: its dtype and shape and, where they are known, meaning, range and unit}}.
      The range is None for numbers without bounds.
    """

    def of(specs, special):
        return {
            key: {
                **_described(key, spec, "encode" in signatures, special.get(key) or _MEANINGS.get(key)),
                **({"unit": units[key]} if units and key in units else {}),
            }
            for key, spec in sorted(specs.items())
        }

    return {"inputs": of(signatures[name].inputs, {}), "outputs": of(signatures[name].outputs, _OUTPUTS)}


def _described(key, spec, is_vae, known):
    dtype = "string" if spec.dtype == object else spec.dtype.name
    record: dict[str, Any] = {"dtype": dtype, "shape": None if spec.shape is None else list(spec.shape)}
    if key == "z":
        known = ("latents from N(0, 1)", None) if is_vae else ("latents, uniform", (-1.0, 1.0))
    if known and (spec.dtype == object) == (key in _STRINGS or key.endswith("_bytes")):
        record["meaning"] = known[0]
        if spec.dtype != object:
            record["range"] = None if known[1] is None else list(known[1])
    return record


def example(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The first row of a request in the form of TF Serving's REST; for a long one, only its size."""
    return {key: _short(np.asarray(value)[0]) for key, value in inputs.items()}


def _short(row):
    if isinstance(row, bytes):
        return {"b64": base64.b64encode(row).decode()} if len(row) <= _MOST_BYTES else f"{len(row)} bytes"
    return row.tolist() if np.size(row) <= _MOST_NUMBERS else f"{row.dtype.name} {list(row.shape)}"


def write(directory: str, facts: Mapping[str, Any]) -> None:
    """Writes the card of a finished export.

    Args:
      directory: a SavedModel; its files must not change afterwards.
      facts: what the card says besides the checksums; JSON-serializable.
    """
    checksums = {name: files.sha256(os.path.join(directory, name)) for name in _names(directory)}
    files.write_json(os.path.join(directory, PATH), {**facts, "sha256": checksums})


def read(directory: str) -> dict[str, Any] | None:
    """The card of an export; None if it has none, as exports of other programs.

    Raises:
      UsageError: the card is damaged.
    """
    try:
        card = files.read_json(os.path.join(directory, PATH))
        if not isinstance(card.get("sha256"), dict):
            raise ValueError("it has no checksums")
        return card
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{directory} is damaged: {PATH} cannot be read ({files.reason(error)}); export the model again."
        ) from error


def check(directory: str) -> dict[str, Any] | None:
    """Reads the card of an export and compares the checksums of all files.

    Raises:
      UsageError: a file is missing, added or changed; the message names it.
    """
    card = read(directory)
    what = damage(directory, card) if card else None
    if what:
        remove_it = "remove it, or " if what.endswith(_FOREIGN) else ""
        raise UsageError(f"{directory} is damaged: {what}; {remove_it}export the model again.")
    return card


def damage(directory: str, card: Mapping[str, Any]) -> str | None:
    """What is wrong with the files of an export whose card was read, such as "a.txt is missing"; None if nothing is."""
    checksums, found = card["sha256"], set(_names(directory))
    for name in sorted(checksums.keys() | found):
        if name not in found:
            what = "is missing"
        elif name not in checksums:
            what = _FOREIGN
        elif files.sha256(os.path.join(directory, name)) != checksums[name]:
            what = "has changed since the export"
        else:
            continue
        return f"{name} {what}"
    return None


def _names(directory: str) -> Iterator[str]:
    """The files of an export, relative to its directory, but for the card itself and the settings for a server."""
    for folder, _, names in os.walk(directory):
        for name in names:
            relative = os.path.relpath(os.path.join(folder, name), directory)
            if relative not in (PATH, batching.PATH):
                yield relative
