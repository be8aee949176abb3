"""Captchas drawn from a seed by worker processes before training, and cached for later runs.

Drawing takes longer than a training step of a small network, so a set is drawn once and used for several epochs.
"""

import contextlib
import hashlib
import json
import os
import time
import zlib
from typing import Any

import numpy as np
from tqdm import tqdm

from tf2cases import files
from tf2cases.data import preparation, threads
from tf2cases.data.captchas import drawing, text
from tf2cases.data.captchas.drawing import Kind
from tf2cases.data.captchas.text import Charset
from tf2cases.data.captchas.workers import Workers
from tf2cases.errors import RunError, UsageError, as_usage_error

# Streams share no draws, so training pictures never appear in the test set or in what `make_captchas` writes.
TRAIN_STREAM, TEST_STREAM, FILES_STREAM = "train", "test", "files"
TEST_SEED = 0  # the test set is the same whatever the seed of training


def make_kind(
    stream: str, seed: int, charset: str = "digits", length: int = 4, width: int = 160, height: int = 60
) -> Kind:
    """Makes the `Kind` of a set from flags.

    Args:
      stream: one of `TRAIN_STREAM`, `TEST_STREAM` and `FILES_STREAM`.
      seed: int.
      charset: name or characters (see `Charset`).
      length: characters per picture.
      width, height: pixels.

    Raises:
      UsageError: such captchas cannot be drawn.
    """
    with as_usage_error("--"):
        text.check_length(length)
        kind = Kind(Charset(charset).characters, length, width, height, stream, seed)
        drawing.check(kind)
    return kind


def load(
    cache_dir: str, stream: str, seed: int, count: int, workers: int | None = None, **options: Any
) -> dict[str, np.ndarray]:
    """Loads the first `count` pictures of a stream from the cache, drawing those that are missing.

    The cache is CACHE_DIR/captcha-HASH, with one file of raw pixels per stream and seed, and one with a checksum of
    each picture. Pictures are only ever appended, so what an interrupted or smaller run has drawn is reused. Loading
    compares the checksums of its pictures; a damaged file is renamed to `damaged_...`, and drawn anew.

    Args:
      cache_dir: the cache folder.
      stream, seed: see `make_kind`.
      count: number of pictures.
      workers: processes that draw; by default one per processor. The pictures do not depend on it.
      **options: charset, length, width and height, see `make_kind`.

    Returns:
      "images" uint8 [count, height, width, 1], memory-mapped, and "labels" uint8 [count, length].

    Raises:
      UsageError: as `make_kind`, or `cache_dir` cannot be written to.
      RunError: the disk is full, or a worker failed.
    """
    kind = make_kind(stream, seed, **options)
    path = os.path.join(_folder(cache_dir, kind, count), f"{stream}-seed{seed}.u8")
    _complete(path, kind, count, threads.default_workers() if workers is None else workers)
    images = np.memmap(path, np.uint8, "r", shape=(count, kind.height, kind.width, 1))
    return {"images": images, "labels": _labels(kind, count)}


def _labels(kind: Kind, count: int) -> np.ndarray:
    """uint8 [count, length]; drawn again rather than stored, because that takes only microseconds per picture."""
    draws, charset = drawing.Draws(), Charset(kind.characters)
    labels = [charset.encode(kind.text(i, draws), kind.length) for i in range(count)]
    return np.reshape(labels, [count, kind.length]).astype(np.uint8)


def _size(kind: Kind, count: int) -> str:
    """How much data a number of captchas are, for a dry run."""
    return f"{preparation.megabytes(count * kind.width * kind.height)} on the disk"


def _folder(cache_dir: str, kind: Kind, count: int) -> str:
    """Creates the folder for sets of this kind; each combination of parameters and package versions has its own."""
    parameters = {name: value for name, value in vars(kind).items() if name not in ("stream", "seed")} | {
        "format": "files *.u8: uint8 [N, height, width], appended to; files *.crc32: uint32 [N], little-endian",
        "versions": drawing.versions(),
    }
    record = json.dumps(parameters, indent=2, sort_keys=True)
    folder = os.path.join(os.path.expanduser(cache_dir), f"captcha-{hashlib.sha256(record.encode()).hexdigest()[:12]}")
    about = os.path.join(folder, "about.json")
    if not os.path.exists(about):
        preparation.begin(f"draw {count:,} captchas into {folder}", lambda: _size(kind, count))
    try:
        if os.path.exists(about) and files.crc32(about) != zlib.crc32(f"{record}\n".encode()):
            files.set_aside(about, "it does not say what the folder's name stands for")
        if not os.path.exists(about):
            files.write_text(about, record + "\n")
    except OSError as error:
        raise UsageError(
            f"--cache_dir is {cache_dir!r}, but {folder} cannot be created or written to ({files.reason(error)}): "
            "expected a folder with room for the captchas."
        ) from error
    return folder


class _Damaged(Exception):
    """A picture is not what was drawn; the message says how that is known."""


def _complete(path: str, kind: Kind, count: int, workers: int) -> None:
    """Extends a set's file to at least `count` intact pictures."""
    with contextlib.suppress(_Damaged):
        if _intact(path, kind, count) == count:
            return
    preparation.begin(f"draw {count:,} captchas into {path}", lambda: _size(kind, count))
    try:
        with open(f"{path}.lock", "a+") as lock:
            files.hold(lock, f"is drawing {path}")
            try:
                there = _intact(path, kind, count)  # another process may have drawn some meanwhile
            except _Damaged as damage:
                files.set_aside(path, str(damage))
                os.remove(_checksums(path))
                there = 0
            if there < count:
                _append(path, kind, there, count, workers)
    except OSError as error:
        raise RunError(
            f"{path}: drawing captchas stopped ({files.reason(error)}); those drawn so far are kept, and the next run "
            "continues after them."
        ) from error


def _intact(path: str, kind: Kind, count: int) -> int:
    """How many of the first `count` pictures there are.

    Raises:
      _Damaged: the checksum of one of them does not match, or it cannot be read.
    """
    try:
        with open(path, "rb") as file, open(_checksums(path), "rb") as checksums:
            for i in range(count):
                # A killed process may have written a part of the last picture, or no checksum of it.
                picture, checksum = file.read(kind.height * kind.width), checksums.read(4)
                if len(picture) < kind.height * kind.width or len(checksum) < 4:
                    return i
                if zlib.crc32(picture) != int.from_bytes(checksum, "little"):
                    raise _Damaged(f"the checksum of captcha {i:,} does not match")
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _Damaged(f"it cannot be read: {files.reason(error)}") from error
    return count


def _checksums(path: str) -> str:
    """The file of checksums of a set's file."""
    return f"{os.path.splitext(path)[0]}.crc32"


def _append(path: str, kind: Kind, there: int, count: int, workers: int) -> None:
    missing = count - there
    print(f"Drawing {missing:,} captchas with {workers} processes into {path}.", flush=True)
    started = time.perf_counter()
    bar = tqdm(initial=there, total=count, desc="Drawing captchas", unit="picture", disable=None, dynamic_ncols=True)
    with open(path, "ab") as file, open(_checksums(path), "ab") as checksums:
        file.truncate(there * kind.height * kind.width)
        checksums.truncate(there * 4)
        with Workers(workers) as pool, bar:
            for _, grey in pool.draw(kind, there, missing, "grey"):
                file.write(grey)
                checksums.write(zlib.crc32(grey).to_bytes(4, "little"))
                checksums.flush()
                bar.update()
        for written in file, checksums:
            written.flush()
            os.fsync(written.fileno())
    seconds = time.perf_counter() - started
    print(f"Drew {missing:,} captchas in {seconds:.1f} s, {missing / seconds:,.0f} pictures/s.", flush=True)
