"""Arrays of pictures that are prepared once, cached in files, and memory-mapped from then on."""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from typing import IO

import numpy as np

from tf2cases import files
from tf2cases.data import preparation
from tf2cases.errors import RunError, UsageError

FORMAT = 2  # version of the file format; part of the folder's name
MANIFEST = "manifest.json"
SPLITS = ("train", "test")


class _Damaged(Exception):
    """A file is not what was written; its attributes are the file's path and how that is known."""

    def __init__(self, path: str, why: str):
        super().__init__(path, why)
        self.path, self.why = path, why


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """Arrays that have been prepared, as `load` returns them.

    Attributes:
      splits: {"train": images, "test": images}, uint8 [N, *image_shape], read-only and memory-mapped.
      facts: what `make` returned, without the shape.
    """

    splits: dict[str, np.ndarray]
    facts: dict


class Writer:
    """Takes the pictures of both splits, any number at a time."""

    def __init__(self, opened: dict[str, IO[bytes]]):
        self._files, self.counts = opened, dict.fromkeys(opened, 0)

    def add(self, split: str, images: np.ndarray) -> None:
        """Appends uint8 [n, *image_shape] to "train" or "test"."""
        self._files[split].write(np.ascontiguousarray(images, np.uint8).data)
        self.counts[split] += len(images)

    def clear(self) -> None:
        """Removes everything that was added."""
        for split, file in self._files.items():
            file.seek(0)
            file.truncate()
            self.counts[split] = 0


def load(
    cache_dir: str | os.PathLike,
    name: str,
    key: object,
    make: Callable[[Writer], dict],
    size: Callable[[], str] | None = None,
) -> Prepared:
    """Loads the pictures prepared under this name and key in CACHE_DIR/prepared/NAME-HASH, or prepares them.

    The folder has one file of raw pixels per split, and a manifest. The manifest is written last, so a killed process
    leaves none, and the next process starts over. It has a checksum of each file and of itself, which loading compares;
    a damaged file is renamed to `damaged_...`, and all files are written again. Processes that need the same pictures
    at the same time wait for the first.

    Args:
      cache_dir: folder; created if missing.
      name: the data set's name.
      key: everything that the pixels depend on, JSON-serializable.
      make: called with a `Writer`; adds all pictures and returns facts for the manifest, a JSON-serializable dict with
        the pictures' "image_shape".
      size: tells how much data it will be, for a dry run, see `preparation.begin`.

    Returns:
      `Prepared`.

    Raises:
      UsageError: `cache_dir` cannot be written to.
      RunError: the disk is full or failing.
      Whatever `make` raises; nothing that looks complete is left then.
    """
    key_text = json.dumps({"format": FORMAT, "key": key}, sort_keys=True)
    key_hash = hashlib.sha256(key_text.encode()).hexdigest()
    folder = os.path.join(os.path.expanduser(cache_dir), "prepared", f"{name}-{key_hash[:12]}")
    try:
        manifest = _read_manifest(folder, key_hash)
    except _Damaged:
        manifest = None
    if manifest is None:
        preparation.begin(f"prepare the pictures in {folder}", size)
        try:
            os.makedirs(folder, exist_ok=True)
            lock = open(os.path.join(folder, ".lock"), "a+")
        except OSError as error:
            raise UsageError(
                f"--cache_dir is {cache_dir!r}, but {folder} cannot be created or written to ({files.reason(error)}): "
                "expected a folder with room for the prepared pictures."
            ) from error
        with lock:
            files.hold(lock, f"is preparing {folder}")
            try:
                manifest = _read_manifest(folder, key_hash)  # another process may have written it meanwhile
            except _Damaged as damage:
                files.set_aside(damage.path, damage.why)
            if manifest is None:
                manifest = _make(folder, key_hash, make)
    splits: dict[str, np.ndarray] = {}
    for split, count in manifest["counts"].items():
        shape = (count, *manifest["image_shape"])
        if count:
            splits[split] = np.memmap(_array(folder, split), np.uint8, "r", shape=shape)
        else:  # an empty file cannot be mapped
            splits[split] = np.empty(shape, np.uint8)
    return Prepared(splits, manifest["facts"])


def _make(folder: str, key_hash: str, make: Callable[[Writer], dict]) -> dict:
    path = os.path.join(folder, MANIFEST)
    try:
        # Other processes may use the old files, so they are removed rather than overwritten; the manifest first.
        for old in (path, *(_array(folder, split) for split in SPLITS)):
            with contextlib.suppress(FileNotFoundError):
                os.remove(old)
        with contextlib.ExitStack() as stack:
            writer = Writer({split: stack.enter_context(open(_array(folder, split), "wb")) for split in SPLITS})
            facts = dict(make(writer))
        for split in SPLITS:
            files.sync(_array(folder, split))
        manifest = {
            "format": FORMAT,
            "key_sha256": key_hash,
            "files": f"{', '.join(_array('', s) for s in SPLITS)}: uint8 [counts, *image_shape], without a header",
            "counts": writer.counts,
            "crc32": {split: files.crc32(_array(folder, split)) for split in SPLITS},
            "image_shape": list(facts.pop("image_shape")),
            "facts": facts,
        }
        files.write_json(path, {**manifest, "sha256": _digest(manifest)})
    except BaseException as error:
        for split in SPLITS:  # incomplete files are useless, so free their space
            with contextlib.suppress(OSError):
                os.truncate(_array(folder, split), 0)
        if isinstance(error, OSError):
            raise RunError(
                f"{folder}: preparing the pictures stopped ({files.reason(error)}); the next run starts over."
            ) from error
        raise
    return manifest


def _read_manifest(folder: str, key_hash: str) -> dict | None:
    """The manifest, or None if the pictures were never completely prepared.

    Raises:
      _Damaged: the manifest or a file of pictures is damaged.
    """
    path = os.path.join(folder, MANIFEST)
    if not os.path.exists(path):
        return None
    try:
        manifest = files.read_json(path)
        if manifest.pop("sha256") != _digest(manifest):
            raise ValueError("its checksum does not match")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Damaged(path, f"it is not what was written: {files.reason(error)}") from error
    if manifest["key_sha256"] != key_hash:
        return None
    for split in SPLITS:
        try:
            intact = files.crc32(_array(folder, split)) == manifest["crc32"][split]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _Damaged(_array(folder, split), f"it cannot be read: {files.reason(error)}") from error
        if not intact:
            raise _Damaged(_array(folder, split), "its checksum does not match")
    return manifest


def _digest(manifest: dict) -> str:
    """The SHA-256 of a manifest without its own checksum."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _array(folder: str, split: str) -> str:
    return os.path.join(folder, f"{split}.u8")
