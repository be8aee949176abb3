"""Folders and archives of pictures as data sets: squares of one size, prepared once, with a tenth held out."""

import contextlib
import functools
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from tqdm import tqdm

from tf2cases import files
from tf2cases.data import preparation, threads
from tf2cases.data.pictures import options, prepared, square
from tf2cases.data.pictures.archive import PictureArchive
from tf2cases.data.pictures.folder import PictureFolder, Readers
from tf2cases.data.source import Source
from tf2cases.errors import UsageError

_DECODING = 3  # a version: increment it when the pixels decoded from a file change, or which files are refused

# A chunk of work for a thread ends when it reaches either limit.
_CHUNK_PICTURES = 32
_CHUNK_BYTES = 2**23
_NAMED = 3  # unreadable pictures that a message names


class Collection(Protocol):
    """Pictures to prepare: a `PictureFolder`, a `PictureArchive`, or the like.

    Attributes:
      path: where they are.
    """

    path: str

    def fingerprint(self) -> list:
        """The identity of these pictures, JSON-serializable."""

    def open(self) -> contextlib.AbstractContextManager[tuple[int, Readers]]:
        """Yields the number of pictures and an iterator of (name, read); read() returns bytes or raises OSError."""


class _NotGrey(Exception):
    """A picture has colours although all were expected to be grey."""


def is_held_out(name: str) -> bool:
    """Whether a picture belongs to the held-out tenth.

    It does if the first eight bytes of the SHA-256 of its path in the folder or archive (UTF-8, with slashes), as a
    big-endian number, are divisible by 10. So this depends only on the path, not on other pictures.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % 10 == 0


def too_few(path: str, count: int, held_out: int) -> UsageError:
    """The error for a collection of which no picture, or each, belongs to the held-out tenth."""
    few = "1 picture, which is" if count == 1 else f"{count:,} pictures, which are"
    none = "all of these are" if held_out else "none of these is"
    return UsageError(
        f"{path} has {few} too few: a tenth of all, chosen by their names, is kept for testing, and {none}; it must "
        "have more, such as 50."
    )


def collection(path: str) -> PictureFolder | PictureArchive:
    """The `PictureFolder` or `PictureArchive` at a path.

    Raises:
      UsageError: the path does not exist.
    """
    if not path or not os.path.exists(path):
        raise UsageError(f"--data_dir is {path!r}, but must be a folder of pictures, or a zip or tar archive of some.")
    return PictureFolder(path) if os.path.isdir(path) else PictureArchive(path)


def load(
    name: str,
    find: Callable[[str], Collection],
    whole: int | None,
    data_dir: str,
    size: int = 64,
    channels: int | None = 3,
    crop: str = "none",
    cache_dir: str = "data",
    max_bad_images: int = 0,
) -> Source:
    """Loads a collection of pictures, which are prepared once and then cached.

    Args:
      name: the data set's name.
      find: returns the collection in `data_dir`.
      whole: number of pictures in the whole set, reported if there are fewer or more; None if unknown.
      data_dir: where the pictures are.
      size: side of the squares in pixels.
      channels: 3, 1, or None for 1 if every picture is grey and 3 otherwise.
      crop: see `options.parse_crop`.
      cache_dir: the cache folder; the pictures go to its sub-folder `prepared`.
      max_bad_images: how many unreadable pictures to leave out; more are an error.

    Returns:
      Source with "images" uint8 [N, size, size, channels], memory-mapped; `info` has image_shape.

    Raises:
      UsageError: as `find`; there are no pictures, too many unreadable ones, one smaller than `crop`, or so few that a
        split is empty; or the size or crop is not accepted.
      RunError: the disk is full.
    """
    options.check_size(size)
    wanted = {"size": size, "channels": channels, "crop": options.parse_crop(crop)}
    pictures = find(data_dir)
    key = {"fingerprint": pictures.fingerprint(), "decoding": _DECODING, **wanted}
    make = functools.partial(_make, pictures=pictures, **wanted)
    made = prepared.load(cache_dir, name, key, make, functools.partial(_size, pictures, size, channels, whole))
    bad = made.facts["bad"]
    train, test = (made.splits[split] for split in prepared.SPLITS)
    count = len(train) + len(test)
    if len(bad) > max_bad_images:
        raise UsageError(
            f"{pictures.path} has {len(bad):,} unreadable among {count + len(bad):,} pictures, {_named(bad)}, but at "
            f"most --max_bad_images={max_bad_images} are left out."
        )
    if not len(train) or not len(test):
        raise too_few(pictures.path, count, len(test))
    of = f" (the whole set has {whole:,})" if whole not in (None, count + len(bad)) else ""
    print(f"{count:,} pictures{of} from {pictures.path}: {len(train):,} for training, {len(test):,} held out.")
    if bad:
        print(f"Left out {len(bad):,} unreadable picture{'s'[: len(bad) != 1]}: {_named(bad)}.")
    return Source(name, {"train": {"images": train}, "test": {"images": test}}, {"image_shape": list(train.shape[1:])})


def _size(pictures: Collection, size: int, channels: int | None, whole: int | None) -> str:
    """How much data the prepared pictures will be, for a dry run; without decompressing an archive to count them."""
    about, count = "", whole
    if isinstance(pictures, PictureArchive) and not pictures.path.lower().endswith((".zip", ".tar")):
        about = "at most " if whole else ""
    elif isinstance(pictures, (PictureFolder, PictureArchive)):
        with pictures.open() as (count, _):
            pass
    if not count:
        return ""
    about = about if channels else "at most "
    space = preparation.megabytes(count * size * size * (channels or 3))
    return f"{count:,} picture{'s'[: count != 1]}, {about}{space} on the disk"


def _named(bad: Sequence) -> str:
    """Names the first unreadable pictures."""
    more = ", ..." if len(bad) > _NAMED else ""
    return ", ".join(f"{name} ({why})" for name, why in bad[:_NAMED]) + more


def _make(writer, pictures, size, channels, crop, again=False):
    """Decodes all pictures into a `prepared.Writer`; returns the facts for the manifest."""
    bad, started = [], time.perf_counter()
    work = functools.partial(_decode_chunk, pictures.path, size, channels, crop)
    try:
        with pictures.open() as (count, readers):
            if not again:
                print(f"Preparing {count:,} picture{'s'[: count != 1]} from {pictures.path}.", flush=True)
            with tqdm(total=count, desc="Preparing pictures", unit="picture", disable=None, leave=False) as bar:
                for chunk, results in threads.in_order(work, _chunks(readers)):
                    for (name, _), result in zip(chunk, results, strict=True):
                        if isinstance(result, str):
                            bad.append([name, result])
                        else:
                            writer.add("test" if is_held_out(name) else "train", result[np.newaxis])
                    bar.update(len(chunk))
    except _NotGrey:  # usually raised for the first picture
        writer.clear()
        return _make(writer, pictures, size, 3, crop, again=True)
    if len(bad) == count:
        raise UsageError(f"{pictures.path} has no readable picture among {count:,}: {_named(bad)}.")
    seconds = time.perf_counter() - started
    print(f"Prepared in {seconds:.1f} s: {count / seconds:,.0f} pictures/s.", flush=True)
    shape = [size, size, channels or 1]
    return {"image_shape": shape, "source": os.path.abspath(pictures.path), "crop": crop, "bad": bad}


def _chunks(readers: Iterable) -> Iterator[list[tuple[str, bytes | str]]]:
    """Reads files into lists of (name, bytes, or a str that says why the file cannot be read)."""
    chunk, chunk_bytes = [], 0
    for name, read in readers:
        try:
            data = read()
        except OSError as error:
            data = files.reason(error)
        chunk.append((name, data))
        chunk_bytes += len(data)
        if len(chunk) == _CHUNK_PICTURES or chunk_bytes >= _CHUNK_BYTES:
            yield chunk
            chunk, chunk_bytes = [], 0
    if chunk:
        yield chunk


def _decode_chunk(path, size, channels, crop, chunk):
    """Decodes a chunk: for each picture uint8 [size, size, channels or 1], or a str that says why it cannot be read."""
    return [data if isinstance(data, str) else _decode(path, name, data, size, channels, crop) for name, data in chunk]


def _decode(path, name, data, size, channels, crop):
    try:
        pixels = square.decode(data, size, channels or 3, crop)
    except square.TooSmall as error:
        raise UsageError(f"--crop is {crop}, but {path}: {name} {error}.") from error
    except ValueError as error:
        return str(error)
    if channels:
        return pixels
    if (pixels != pixels[..., :1]).any():
        raise _NotGrey
    return pixels[..., :1]
