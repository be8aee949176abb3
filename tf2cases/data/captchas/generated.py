"""Captchas drawn from a seed by worker processes before training, and cached for later runs.

Drawing takes longer than a training step of a small network, so a set is drawn once and used for several epochs.
"""

import hashlib
import json
import os
import time
from typing import IO, Any

import numpy as np
from tqdm import tqdm

from tf2cases import files
from tf2cases.data import threads
from tf2cases.data.captchas import drawing, text
from tf2cases.data.captchas.drawing import Kind
from tf2cases.data.captchas.text import Charset
from tf2cases.data.captchas.workers import Workers
from tf2cases.errors import RunError, as_usage_error

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

    The cache is CACHE_DIR/captcha-HASH, with one file of raw pixels per stream and seed. Pictures are only ever
    appended, so what an interrupted or smaller run has drawn is reused.

    Args:
      cache_dir: the cache folder.
      stream, seed: see `make_kind`.
      count: number of pictures.
      workers: processes that draw; by default one per processor. The pictures do not depend on it.
      **options: charset, length, width and height, see `make_kind`.

    Returns:
      "images" uint8 [count, height, width, 1], memory-mapped, and "labels" uint8 [count, length].

    Raises:
      UsageError: as `make_kind`.
      RunError: the disk is full, or a worker failed.
    """
    kind = make_kind(stream, seed, **options)
    path = os.path.join(_folder(cache_dir, kind), f"{stream}-seed{seed}.u8")
    _complete(path, kind, count, threads.default_workers() if workers is None else workers)
    images = np.memmap(path, np.uint8, "r", shape=(count, kind.height, kind.width, 1))
    return {"images": images, "labels": _labels(kind, count)}


def _labels(kind: Kind, count: int) -> np.ndarray:
    """uint8 [count, length]; drawn again rather than stored, because that takes only microseconds per picture."""
    draws, charset = drawing.Draws(), Charset(kind.characters)
    labels = [charset.encode(kind.text(i, draws), kind.length) for i in range(count)]
    return np.reshape(labels, [count, kind.length]).astype(np.uint8)


def _folder(cache_dir: str, kind: Kind) -> str:
    """Creates the folder for sets of this kind; each combination of parameters and package versions has its own."""
    parameters = {name: value for name, value in vars(kind).items() if name not in ("stream", "seed")} | {
        "format": "files *.u8: uint8 [N, height, width], appended to; the file's size tells N",
        "versions": drawing.versions(),
    }
    record = json.dumps(parameters, indent=2, sort_keys=True)
    folder = os.path.join(os.path.expanduser(cache_dir), f"captcha-{hashlib.sha256(record.encode()).hexdigest()[:12]}")
    about = os.path.join(folder, "about.json")
    if not os.path.exists(about):
        files.write_text(about, record + "\n")
    return folder


def _complete(path: str, kind: Kind, count: int, workers: int) -> None:
    """Extends a set's file to at least `count` pictures."""
    picture_bytes = kind.height * kind.width
    if os.path.exists(path) and os.path.getsize(path) >= count * picture_bytes:
        return
    try:
        with open(path, "ab") as file:
            files.hold(file, f"is drawing {path}")
            # Drop an incomplete last picture, left by a killed run.
            there = os.fstat(file.fileno()).st_size // picture_bytes
            if there < count:
                file.truncate(there * picture_bytes)
                _append(file, path, kind, there, count, workers)
    except OSError as error:
        raise RunError(
            f"{path}: drawing captchas stopped ({files.reason(error)}); those drawn so far are kept, and the next run "
            "continues after them."
        ) from error


def _append(file: IO[bytes], path: str, kind: Kind, there: int, count: int, workers: int) -> None:
    missing = count - there
    print(f"Drawing {missing:,} captchas with {workers} processes into {path}.", flush=True)
    started = time.perf_counter()
    bar = tqdm(initial=there, total=count, desc="Drawing captchas", unit="picture", disable=None, dynamic_ncols=True)
    with Workers(workers) as pool, bar:
        for _, grey in pool.draw(kind, there, missing, "grey"):
            file.write(grey)
            bar.update()
    file.flush()
    os.fsync(file.fileno())
    seconds = time.perf_counter() - started
    print(f"Drew {missing:,} captchas in {seconds:.1f} s, {missing / seconds:,.0f} pictures/s.", flush=True)
