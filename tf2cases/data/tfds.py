"""Data sets from TensorFlow Datasets (TFDS), already prepared on disk or downloaded."""

import contextlib
import os
import re
import threading
import typing
import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np

from tf2cases import files
from tf2cases.data import preparation
from tf2cases.errors import RunError, UsageError


class Download(typing.NamedTuple):
    """The origin of a data set.

    Attributes:
      url: a file that TFDS would download.
      embedded: a substitute that needs no download.
      builder: the set's name in TFDS.
      advice: what to do if TFDS cannot download it.
      size: bytes of all files that TFDS downloads, from its lists of checksums or the files' publishers.
    """

    url: str
    embedded: str
    builder: str
    advice: str
    size: int


_BESIDE = "download the set's four idx files yourself and pass their folder as --data_dir"
DOWNLOADS = {
    "mnist": Download(
        "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
        "mnist_sample",
        "mnist",
        _BESIDE,
        11_594_722,
    ),
    "fashion_mnist": Download(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
        "mnist_sample",
        "fashion_mnist",
        _BESIDE,
        30_878_645,
    ),
    "celeba": Download(
        "https://drive.google.com/uc?export=download&id=0B7EVK8r0v71pY0NSMzRuSXJEVkk",
        "toy_faces",
        "celeb_a",
        "download img_align_celeba.zip with a browser via https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html and pass "
        "its folder, or that of its unpacked pictures, as --data_dir",
        1_488_628_763,
    ),
    "lfw": Download(
        "https://ndownloader.figshare.com/files/5976018",
        "toy_faces",
        "lfw",
        "download lfw.tgz or lfw-deepfunneled.tgz with a browser via http://vis-www.cs.umass.edu/lfw/ or a mirror "
        "and pass its folder, or that of the unpacked pictures, as --data_dir",
        180_566_744,
    ),
}

_TIMEOUT = 5.0  # seconds for each network operation of the probe
_DEADLINE = 10.0  # seconds for the whole probe, because DNS look-ups have no timeout of their own


def default_dir() -> str:
    """The folder that TFDS uses by default; found without importing TFDS, which takes seconds."""
    return os.environ.get("TFDS_DATA_DIR", os.path.join(os.path.expanduser("~"), "tensorflow_datasets"))


def locate(name: str, data_dir: str, files: str, folders: list[str]) -> str:
    """Finds a set prepared in DATA_DIR or TFDS' default directory, or downloads it; returns its folder.

    Args:
      name: a key of `DOWNLOADS`.
      data_dir: the folder to search first and to download to; "" for TFDS' default directory only.
      files: the publisher's files that were not found before, for the message: "found neither FILES ...".
      folders: the folders that were searched for them.

    Raises:
      UsageError, RunError: see `download`.
    """
    builder = DOWNLOADS[name].builder
    dirs = ([data_dir] if data_dir else []) + [default_dir()]
    found = find_prepared(builder, dirs)
    if found:
        return found
    where = f"in {' or '.join(folders)}" if folders else "because --data_dir is empty"
    prepared = " or ".join(os.path.join(d, builder) for d in dirs)
    return download(name, data_dir, f"found neither {files} {where}, nor a prepared TFDS set in {prepared}")


def find_prepared(name: str, dirs: list[str]) -> str | None:
    """The folder of the newest prepared version of a set, in the first of `dirs` that has one; None if none has.

    Args:
      name: the name in TFDS, a folder below one of `dirs`.
      dirs: TFDS data directories, in order of preference.
    """
    folders = (_newest_version(os.path.join(d, name)) for d in dirs)
    return next(filter(None, folders), None)


def _newest_version(folder: str) -> str | None:
    """The newest prepared version in a folder, such as FOLDER/3.0.1, or None."""

    def prepared(version: str) -> bool:
        files = ("dataset_info.json", "features.json")
        return bool(re.fullmatch(r"\d+\.\d+\.\d+", version)) and all(
            os.path.isfile(os.path.join(folder, version, file)) for file in files
        )

    versions = filter(prepared, os.listdir(folder) if os.path.isdir(folder) else [])
    newest = max(versions, key=lambda v: tuple(map(int, v.split("."))), default=None)
    return newest and os.path.join(folder, newest)


def read(folder: str) -> dict[str, dict[str, np.ndarray]]:
    """Reads a whole prepared set into memory.

    Args:
      folder: from `locate`.

    Returns:
      {split: {feature: array with leading dimension N}}.

    Raises:
      UsageError: the set cannot be read.
    """
    import tensorflow_datasets as tfds

    with _reading(folder):
        builder = tfds.builder_from_directory(folder)
        return {s: dict(tfds.as_numpy(builder.as_dataset(split=s, batch_size=-1))) for s in builder.info.splits}


def encoded_pictures(folder: str) -> tuple[int, Iterator[bytes]]:
    """The pictures of a prepared set, still encoded, in a fixed order.

    Args:
      folder: from `locate`.

    Returns:
      The number of pictures, and an iterator of the encoded pictures of all splits, as bytes.

    Raises:
      UsageError: the set cannot be read; also while iterating.
    """
    import tensorflow_datasets as tfds

    with _reading(folder):
        builder = tfds.builder_from_directory(folder)
        count = sum(split.num_examples for split in builder.info.splits.values())

    def pictures() -> Iterator[bytes]:
        options = {
            "decoders": {"image": tfds.decode.SkipDecoding()},
            "read_config": tfds.ReadConfig(interleave_cycle_length=1),
        }
        with _reading(folder):
            for split in sorted(builder.info.splits):
                for example in builder.as_dataset(split=split, **options):
                    yield example["image"].numpy()

    return count, pictures()


@contextlib.contextmanager
def _reading(folder: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # TFDS and its readers raise all kinds of errors for a damaged set
        raise UsageError(
            f"{folder} looks like a prepared TFDS set but cannot be read ({_brief(error)}): expected "
            "a complete one, so remove the folder to have it prepared again."
        ) from error


def download(name: str, data_dir: str, looked_for: str) -> str:
    """Downloads and prepares a set with TFDS, which shows its progress; returns its folder.

    Without a network, TFDS would retry for over three minutes, so the network is probed first.

    Args:
      name: a key of `DOWNLOADS`.
      data_dir: where the prepared set goes; TFDS' default directory if empty.
      looked_for: what was not found before, for the message: "found neither ... nor ...".

    Raises:
      UsageError: the network cannot be reached; detected within 10 seconds.
      RunError: the download or the preparation failed.
    """
    wanted = DOWNLOADS[name]
    preparation.begin(f"download {name} to {data_dir or default_dir()}", lambda: preparation.megabytes(wanted.size))
    reason = unreachable(wanted.url)
    if reason:
        raise UsageError(
            f"--dataset={name}: {looked_for}, and it cannot be downloaded because {wanted.url} cannot be reached "
            f"({reason}); {wanted.advice}, or use --dataset={wanted.embedded}, which needs no download."
        )
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(wanted.builder, data_dir=data_dir or None)
        builder.download_and_prepare()
    except Exception as error:  # requests', TFDS' and the file system's own errors
        raise RunError(
            f"--dataset={name}: TFDS could not download and prepare it in "
            f"{data_dir or default_dir()} ({_brief(error)}); {wanted.advice}, or use --dataset={wanted.embedded}."
        ) from error
    return str(builder.data_dir)


def unreachable(url: str) -> str | None:
    """Sends one HEAD request to `url`, through the environment's proxies.

    Returns:
      None if it can be reached, else why not.
    """
    reason = [f"no answer within {_DEADLINE:g} seconds"]

    def probe():
        try:
            request = urllib.request.Request(url, method="HEAD")
            # An opener of its own: urlopen keeps the proxies of its first call.
            with urllib.request.build_opener().open(request, timeout=_TIMEOUT):
                reason[0] = None
        except urllib.error.HTTPError as error:
            # A signed download link may reject HEAD but accept GET, and a host that rejects it can be reached. Without
            # TLS, the answer may be a proxy's.
            there = error.code in (403, 405) and url.startswith("https:")
            reason[0] = None if there else _brief(error)
        except Exception as error:  # urllib's, or http.client's for an answer that is not HTTP
            reason[0] = _brief(getattr(error, "reason", None) or error)

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(_DEADLINE)
    return reason[0]


def _brief(error: object) -> str:
    """The reason of an error, at most 200 characters."""
    return (files.reason(error) if isinstance(error, BaseException) else str(error))[:200].rstrip(".")
