"""Sets of TensorFlow Datasets (TFDS): one that is already prepared on disk, or a download."""

import os
import re
import threading
import urllib.request

from tf2cases.errors import RunError, UsageError

# name -> (a file that TFDS would download, the embedded set that does the same job).
DOWNLOADS = {
    "mnist": (
        "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
        "mnist_sample",
    ),
    "fashion_mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
        "mnist_sample",
    ),
}

_TIMEOUT = 5.0  # seconds for each network operation of the probe
_DEADLINE = 10.0  # seconds for the whole probe: looking up a host's name has no time limit of its own


def default_dir():
    """The folder that TFDS uses if none is given, without the seconds that importing it takes."""
    return os.environ.get("TFDS_DATA_DIR", os.path.join(os.path.expanduser("~"), "tensorflow_datasets"))


def load_prepared(name, dirs):
    """Loads the newest prepared version of a set from the first of `dirs` that has one; no network.

    Args:
      name: the name in TFDS, a folder below one of `dirs`.
      dirs: TFDS data directories, in order of preference.

    Returns:
      {split: {feature: array with leading dimension N}}, or None if no directory has the set.

    Raises:
      UsageError: a prepared set is there but cannot be read.
    """
    for folder in (_newest_version(os.path.join(d, name)) for d in dirs):
        if folder:
            return _read(folder)
    return None


def _newest_version(folder):
    """FOLDER/3.0.1 of a folder that holds prepared versions, or None."""

    def prepared(version):
        files = ("dataset_info.json", "features.json")
        return re.fullmatch(r"\d+\.\d+\.\d+", version) and all(
            os.path.isfile(os.path.join(folder, version, file)) for file in files
        )

    versions = filter(prepared, os.listdir(folder) if os.path.isdir(folder) else [])
    newest = max(versions, key=lambda v: tuple(map(int, v.split("."))), default=None)
    return newest and os.path.join(folder, newest)


def _read(folder):
    import tensorflow_datasets as tfds

    try:
        return _arrays(tfds, tfds.builder_from_directory(folder))
    except Exception as error:  # TFDS and its readers raise anything for a damaged set
        raise UsageError(
            f"{folder} looks like a prepared TFDS set but cannot be read ({_brief(error)}): expected "
            "a complete one, so remove the folder to have it prepared again."
        ) from error


def _arrays(tfds, builder):
    """{split: {feature: array}} of a prepared set."""
    return {split: dict(tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))) for split in builder.info.splits}


def download(name, data_dir="", looked_for=""):
    """Downloads and prepares a set with TFDS, which shows its progress; returns its arrays.

    TFDS left alone retries a dead network for over three minutes, so the network is probed first.

    Args:
      name: a key of `DOWNLOADS`.
      data_dir: where the prepared set goes; TFDS' default directory if empty.
      looked_for: what was looked for in vain before, for the message: "no ... in ...".

    Returns:
      {split: {feature: array}}, as `load_prepared`.

    Raises:
      UsageError: the network cannot be reached; after 10 seconds at most.
      RunError: the download or the preparation failed.
    """
    url, embedded = DOWNLOADS[name]
    reason = unreachable(url)
    if reason:
        raise UsageError(
            f"--dataset={name}: {looked_for or 'not prepared'}, and it cannot be downloaded because "
            f"{url} is out of reach ({reason}); download the files beside that one and pass their "
            f"folder as --data_dir, or use --dataset={embedded}, which needs no download."
        )
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir or None)
        builder.download_and_prepare()
        return _arrays(tfds, builder)
    except Exception as error:  # requests', TFDS' and the file system's own errors
        raise RunError(
            f"--dataset={name}: TFDS could not download and prepare it in "
            f"{data_dir or default_dir()} ({_brief(error)})."
        ) from error


def unreachable(url):
    """Asks for the header of `url` once, through the proxies of the environment.

    Returns:
      None if it is there, else why not.
    """
    reason = [f"no answer within {_DEADLINE:g} seconds"]

    def probe():
        try:
            request = urllib.request.Request(url, method="HEAD")
            # An opener of its own: urlopen keeps the proxies of its first call.
            with urllib.request.build_opener().open(request, timeout=_TIMEOUT):
                reason[0] = None
        except Exception as error:  # urllib's, or http.client's for an answer that is not HTTP
            reason[0] = _brief(getattr(error, "reason", None) or error)

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(_DEADLINE)
    return reason[0]


def _brief(error):
    """The first line of an error, or its class."""
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__
