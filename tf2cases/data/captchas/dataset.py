"""Captchas drawn from a seed: ahead of training, by processes of their own, and kept for the next run.

Drawing costs more than a step of a small network, so a set is drawn once and trained on for several epochs.
"""

import hashlib
import json
import os
import time

import numpy as np
from tqdm import tqdm

from tf2cases import files
from tf2cases.data.captchas import drawing as captcha_pictures
from tf2cases.data.captchas import folder as captcha_folder
from tf2cases.data.captchas import text as captcha_text
from tf2cases.data.captchas import writer as captcha_writer
from tf2cases.data.captchas.drawing import Kind
from tf2cases.data.captchas.text import Charset
from tf2cases.data.captchas.workers import Workers
from tf2cases.data.source import Source
from tf2cases.data.threads import default_workers
from tf2cases.errors import RunError, UsageError

# Streams share no draws, so no picture for training is ever one for testing, or one that `make_captchas` writes.
TRAIN_STREAM, TEST_STREAM, FILES_STREAM = "train", "test", "files"
TEST_SEED = 0  # the test set is the same whatever the seed of training


def make_kind(charset, length, width, height, stream, seed):
    """The `Kind` of a set, checked.

    Args:
      charset: name or characters (see `Charset`).
      length: characters a picture.
      width, height: pixels.
      stream: one of `TRAIN_STREAM`, `TEST_STREAM` and `FILES_STREAM`.
      seed: int.

    Raises:
      UsageError: one sentence for each thing that cannot be drawn.
    """
    captcha_text.check_length(length)
    kind = Kind(Charset(charset).characters, length, width, height, stream, seed)
    captcha_pictures.check(kind)
    return kind


def generate(charset, length, width, height, seed, first, count, workers=1, stream=TRAIN_STREAM):
    """Draws pictures `first` to `first` + `count` - 1 of a set, which depend on no other picture or number of workers.

    Returns:
      images: uint8 [count, height, width, 1], grey (see `captcha_pictures.to_grey`).
      labels: uint8 [count, length], the characters' classes.

    Raises:
      UsageError: as `make_kind`, or workers below 1.
      RunError: a worker failed.
    """
    kind = make_kind(charset, length, width, height, stream, seed)
    images = np.empty([count, height, width, 1], np.uint8)
    with Workers(workers) as pool:
        for i, (_, grey) in enumerate(pool.draw(kind, first, count, "grey")):
            images[i] = np.frombuffer(grey, np.uint8).reshape(height, width, 1)
    return images, _labels(kind, first, count)


def load(
    data_dir,
    charset="digits",
    length=4,
    width=160,
    height=60,
    seed=0,
    train_count=50000,
    test_count=2000,
    workers=None,
):
    """A training set and a fixed test set of generated captchas.

    They are kept in DATA_DIR/captcha-HASH, one file of raw pixels a set, to which pictures are only ever appended: what
    an interrupted or a smaller run has drawn is not drawn again.

    Args:
      data_dir: where they are kept.
      charset: name or characters (see `Charset`).
      length: characters a picture.
      width, height: pixels.
      seed: of the training set.
      train_count, test_count: pictures.
      workers: processes that draw; by default one for each processor. The pictures do not depend on it.

    Returns:
      Source with "images" uint8 [N, height, width, 1], memory-mapped, and "labels" uint8 [N, length]; `info` has
      image_shape, charset (the characters) and length.

    Raises:
      UsageError: as `make_kind`, or a count or workers below 1.
      RunError: the disk is full, or a worker failed.
    """
    for name, value in (("train_count", train_count), ("test_count", test_count)):
        if value < 1:
            raise UsageError(f"--{name} is {value}, but must be at least 1.")
    form = dict(charset=charset, length=length, width=width, height=height, workers=workers)
    train = load_split(data_dir, TRAIN_STREAM, seed, train_count, **form)
    test = load_split(data_dir, TEST_STREAM, TEST_SEED, test_count, **form)
    return Source("captcha", {"train": train, "test": test}, captcha_folder.info(**train, charset=Charset(charset)))


def load_split(data_dir, stream, seed, count, charset="digits", length=4, width=160, height=60, workers=None):
    """The first `count` pictures of a stream, drawn if they are not there yet: arrays as in `load`, with its errors."""
    workers = default_workers() if workers is None else workers
    if workers < 1:
        raise UsageError(f"--workers is {workers}, but must be at least 1.")
    kind = make_kind(charset, length, width, height, stream, seed)
    path = os.path.join(_folder(data_dir, kind), f"{stream}-seed{seed}.u8")
    _complete(path, kind, count, workers)
    images = np.memmap(path, np.uint8, "r", shape=(count, height, width, 1))
    return {"images": images, "labels": _labels(kind, 0, count)}


def _labels(kind, first, count):
    """uint8 [count, length]; drawn again rather than stored, which takes microseconds a picture."""
    draws, charset = captcha_pictures.Draws(), Charset(kind.characters)
    labels = np.empty([count, kind.length], np.uint8)
    for i in range(count):
        labels[i] = charset.encode(kind.text(first + i, draws), kind.length)
    return labels


def _folder(data_dir, kind):
    """Makes the folder for sets of this kind; other parameters or other versions of the packages have another."""
    parameters = {
        "characters": kind.characters,
        "length": kind.length,
        "width": kind.width,
        "height": kind.height,
        "format": "files *.u8: uint8 [N, height, width], appended to; the file's size tells N",
        "versions": captcha_writer.versions(),
    }
    text = json.dumps(parameters, indent=2, sort_keys=True)
    folder = os.path.join(os.path.expanduser(data_dir), f"captcha-{hashlib.sha256(text.encode()).hexdigest()[:12]}")
    about = os.path.join(folder, "about.json")
    if not os.path.exists(about):
        os.makedirs(folder, exist_ok=True)
        with open(about, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    return folder


def _complete(path, kind, count, workers):
    """Draws what a set's file lacks of `count` pictures."""
    picture_bytes = kind.height * kind.width
    if os.path.exists(path) and os.path.getsize(path) >= count * picture_bytes:
        return
    try:
        with open(path, "ab") as file:
            files.hold(file, f"draws {path}")
            # What a killed run left of its last picture goes.
            there = os.fstat(file.fileno()).st_size // picture_bytes
            if there < count:
                file.truncate(there * picture_bytes)
                _append(file, path, kind, there, count, workers)
    except OSError as error:
        raise RunError(
            f"{path}: drawing captchas stopped ({error.strerror or error}); those that are there are kept, and the "
            "next run goes on after them."
        ) from error


def _append(file, path, kind, there, count, workers):
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
