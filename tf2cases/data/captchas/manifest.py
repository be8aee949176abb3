"""The manifest of a folder of captchas: their parameters, and whether the folder is complete."""

import json
import os

from tf2cases import files
from tf2cases.data.captchas import drawing
from tf2cases.errors import UsageError

NAME = "manifest.json"
_KIND = "captchas"  # distinguishes our manifest from those of other programs
_TYPES = {"charset": str, "length": int, "width": int, "height": int, "seed": int, "count": int, "complete": bool}


def write(folder: str, kind: drawing.Kind, count: int, complete: bool) -> None:
    """Writes the manifest of a folder of captchas.

    Args:
      folder: the folder.
      kind: the parameters of the captchas.
      count: how many pictures the complete folder has.
      complete: whether it is complete.

    Raises:
      OSError: it cannot be written.
    """
    manifest = {
        "kind": _KIND,
        "charset": kind.characters,
        "length": kind.length,
        "width": kind.width,
        "height": kind.height,
        "seed": kind.seed,
        "count": count,
        "complete": complete,
        "versions": drawing.versions(),
    }
    files.write_json(os.path.join(folder, NAME), manifest)


def parse(data: bytes, path: str) -> dict | None:
    """Parses the content of a manifest; returns None if it is not a manifest of captchas.

    Args:
      data: the content.
      path: the manifest's name in messages.

    Raises:
      UsageError: it is a manifest of captchas, but damaged.
    """
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict) or manifest.get("kind") != _KIND:
        return None
    for name, wanted in _TYPES.items():
        if type(manifest.get(name)) is not wanted:
            raise UsageError(f"{path}: {name!r} is {manifest.get(name)!r}, but must be of type {wanted.__name__}.")
    return manifest
