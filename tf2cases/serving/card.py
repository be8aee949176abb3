"""The model card of an export: what it is, what its signatures take and answer, and a checksum of each of its files.

TensorFlow and TF Serving ignore the file. It is written last, so an export with a card is complete.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from tf2cases import files
from tf2cases.errors import UsageError

PATH = "assets.extra/model_card.json"


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
        raise UsageError(f"{directory} is damaged: {PATH} cannot be read ({error}); export the model again.") from error


def check(directory: str) -> dict[str, Any] | None:
    """Reads the card of an export and compares the checksums of all files.

    Raises:
      UsageError: a file is missing, added or changed; the message names it.
    """
    card = read(directory)
    if card is None:
        return None
    checksums, found = card["sha256"], set(_names(directory))
    for name in sorted(checksums.keys() | found):
        if name not in found:
            what = "is missing"
        elif name not in checksums:
            what = "does not belong to it"
        elif files.sha256(os.path.join(directory, name)) != checksums[name]:
            what = "has changed since the export"
        else:
            continue
        raise UsageError(f"{directory} is damaged: {name} {what}; export the model again.")
    return card


def _names(directory: str) -> Iterator[str]:
    """The files of an export, relative to its directory, but for the card itself."""
    for folder, _, names in os.walk(directory):
        for name in names:
            relative = os.path.relpath(os.path.join(folder, name), directory)
            if relative != PATH:
                yield relative
