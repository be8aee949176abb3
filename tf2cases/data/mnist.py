"""MNIST and Fashion-MNIST: 28x28 grey pictures of ten classes, and an embedded sample of MNIST."""

import os

import numpy as np

from tf2cases.data import idx, tfds
from tf2cases.data.source import Source, testdata_path
from tf2cases.errors import UsageError

IMAGE_SHAPE = (28, 28, 1)
_DIGITS = [str(digit) for digit in range(10)]
# The order of the labels, from https://github.com/zalandoresearch/fashion-mnist.
_CLOTHES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
CLASS_NAMES = {"mnist": _DIGITS, "mnist_sample": _DIGITS, "fashion_mnist": _CLOTHES}
# split -> (images, labels), the names of the original distribution.
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def load(name: str, data_dir: str = "") -> Source:
    """Loads "mnist" or "fashion_mnist".

    Looks, in this order, for: the four idx files (plain or .gz, `-idx3` or `.idx3`) in DATA_DIR/NAME
    (also with a hyphen), then in DATA_DIR; a prepared TFDS set in DATA_DIR, then in TFDS' default
    directory. If none is found, the set is downloaded with TFDS. The folder with the set's name is
    searched first, so that one DATA_DIR can hold both sets, whose files have the same names.

    Returns:
      Source with "images" uint8 [N, 28, 28, 1] and "labels" uint8 [N].

    Raises:
      UsageError: the set found is not valid, or none was found and the network cannot be reached.
      RunError: the download failed.
    """
    if data_dir and os.path.exists(data_dir) and not os.path.isdir(data_dir):
        raise UsageError(f"--data_dir={data_dir} is a file: expected a folder.")
    folders = _folders(name, data_dir)
    for folder in folders:
        paths = _find(folder)
        if paths:
            return _from_idx(name, paths)
    files = ", ".join(file for pair in FILES.values() for file in pair)
    return _from_tfds(name, tfds.read(tfds.locate(name, data_dir, f"the idx files {files} (plain or .gz)", folders)))


def is_in(name: str, data_dir: str) -> bool:
    """Whether a folder holds idx files of a set, some or all, or the set as TFDS prepares it; see `load`."""
    return any(map(_has_idx, _folders(name, data_dir))) or tfds.find_prepared(name, [data_dir]) is not None


def _folders(name: str, data_dir: str) -> list[str]:
    folders = [os.path.join(data_dir, name), os.path.join(data_dir, name.replace("_", "-")), data_dir]
    return list(dict.fromkeys(folders)) if data_dir else []


def _has_idx(folder: str) -> bool:
    return any(_locate(folder, file) for pair in FILES.values() for file in pair)


def load_sample() -> Source:
    """Loads the embedded digits: 4,000 of MNIST's training split and 1,000 of its test split.

    Raises:
      UsageError: testdata/ is missing or damaged.
    """
    return load_idx(testdata_path("mnist_sample"), "mnist_sample")


def load_idx(folder: str, name: str = "mnist") -> Source:
    """Loads the four idx files of one folder, without falling back to another source.

    Args:
      folder: the folder.
      name: a key of `CLASS_NAMES`.

    Raises:
      UsageError: a file is missing or not valid.
    """
    paths = _find(folder)
    if not paths:
        raise UsageError(f"{folder} has no idx files: expected {FILES['train'][0]} (plain or .gz) etc.")
    return _from_idx(name, paths)


def _find(folder: str) -> dict[str, tuple[str, ...]] | None:
    """{split: (images' path, labels' path)} in a folder; None if it has none of the four files."""
    paths = {file: _locate(folder, file) for pair in FILES.values() for file in pair}
    if not any(paths.values()):
        return None
    for file, path in paths.items():
        if path is None:
            raise UsageError(f"{folder} has some of MNIST's idx files but not {file}: expected all four, plain or .gz.")
    return {split: tuple(str(paths[file]) for file in pair) for split, pair in FILES.items()}


def _locate(folder: str, file: str) -> str | None:
    """The path of an idx file under one of its names."""
    names = [n + ending for n in (file, file.replace("-idx", ".idx")) for ending in ("", ".gz")]
    paths = [os.path.join(folder, n) for n in names]
    return next((path for path in paths if os.path.isfile(path)), None)


def _from_idx(name: str, paths: dict[str, tuple[str, ...]]) -> Source:
    read = {split: (idx.read(images), idx.read(labels), images, labels) for split, (images, labels) in paths.items()}
    return _source(name, read)


def _from_tfds(name: str, splits: dict[str, dict[str, np.ndarray]]) -> Source:
    where = f"the TFDS set {name!r}"
    missing = {"train", "test"} - set(splits)
    if missing:
        raise UsageError(f"{where} has the splits {sorted(splits)}: expected train and test.")
    read = {}
    for split in FILES:
        arrays = splits[split]
        if not {"image", "label"} <= set(arrays):
            raise UsageError(f"{where} has the features {sorted(arrays)}: expected image and label.")
        images = arrays["image"]
        read[split] = images[..., 0] if images.shape[1:] == IMAGE_SHAPE else images, arrays["label"], where, where
    return _source(name, read)


def _source(name: str, splits: dict[str, tuple]) -> Source:
    """Creates a source from {split: arguments of `_checked`}."""
    info = {"image_shape": list(IMAGE_SHAPE), "class_names": list(CLASS_NAMES[name])}
    return Source(name, {split: _checked(*given) for split, given in splits.items()}, info)


def _checked(images: np.ndarray, labels: np.ndarray, images_from: str, labels_from: str) -> dict[str, np.ndarray]:
    """Checks one split, and converts it to the shapes and dtypes of a source.

    Args:
      images: integers [N, 28, 28] in 0-255.
      labels: integers [N] in 0-9.
      images_from, labels_from: where they are from, for error messages.
    """
    height, width, _ = IMAGE_SHAPE
    if images.ndim != 3 or images.shape[1:] != (height, width) or not len(images):
        raise UsageError(f"{images_from} has images of shape {list(images.shape)}: expected [N, {height}, {width}].")
    if labels.ndim != 1:
        raise UsageError(f"{labels_from} has labels of shape {list(labels.shape)}: expected [N].")
    if len(images) != len(labels):
        raise UsageError(
            f"{images_from} has {len(images)} images but {labels_from} has {len(labels)} labels: expected one label "
            "per image."
        )
    wrong = np.flatnonzero((labels < 0) | (labels > 9))
    if len(wrong):
        raise UsageError(f"{labels_from} has the label {labels[wrong[0]]} at index {wrong[0]}: expected 0 to 9.")
    return {
        "images": images.astype(np.uint8, copy=False)[..., np.newaxis],
        "labels": labels.astype(np.uint8, copy=False),
    }
