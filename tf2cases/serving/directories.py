"""The versions of an exported model. TensorFlow is not imported, so that a mistyped path is reported at once."""

import os

from tf2cases.errors import UsageError


def versions(directory: str) -> list[int]:
    """The version numbers in a model's directory, in ascending order; [] if it has none or does not exist.

    As in TF Serving, names that are not integers are ignored, and `0007` is 7.
    """
    try:
        entries = list(os.scandir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
    names = [entry.name for entry in entries if entry.is_dir()]
    return sorted({int(name) for name in names if name.isascii() and name.isdecimal()})


def newest_version(directory: str) -> str | None:
    """The directory of the newest version of a model, None if it has none."""
    newest = max(versions(directory), default=None)
    if newest is None:
        return None
    spellings = [name for name in os.listdir(directory) if name.isdecimal() and int(name) == newest]
    return os.path.join(directory, min(spellings, key=len))


def version_directory(path: str) -> str:
    """The directory of one version of a model.

    Args:
      path: `exports/NAME`, whose newest version is taken, or the directory of a version.

    Raises:
      UsageError: there is none.
    """
    if not os.path.isdir(path):
        raise UsageError(f"there is no directory {path}: a model must be a directory, such as exports/mnist_cnn.")
    if os.path.exists(os.path.join(path, "saved_model.pb")):
        return os.path.normpath(path)
    found = newest_version(path)
    if found is None:
        raise UsageError(
            f"{path} has no version: it must hold a SavedModel in a directory with an integer as name, such as "
            f"{path}/1; {_hint(path)}"
        )
    if not os.path.exists(os.path.join(found, "saved_model.pb")):
        raise UsageError(f"{found} is not a SavedModel: saved_model.pb is missing.")
    return found


def _hint(path: str) -> str:
    """What was probably meant by a directory without versions."""
    if os.path.exists(os.path.join(path, "config.json")):
        return "it is the folder of a run, whose export is in another one, such as exports/mnist_cnn."
    models = sorted(name for name in os.listdir(path) if newest_version(os.path.join(path, name)))
    if models:
        return f"did you mean {' or '.join(os.path.join(path, name) for name in models[:3])}?"
    return "did you forget to export, or to append the model's name?"
