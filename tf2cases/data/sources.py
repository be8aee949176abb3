"""Data sets by name."""

import functools
import inspect
from collections.abc import Callable

from tf2cases.data.source import Source
from tf2cases.errors import UsageError

NAMES = ("houses", "mnist", "fashion_mnist", "mnist_sample", "folder", "celeba", "lfw", "toy_faces")


def load(dataset: str, data_dir: str = "", **options: object) -> Source:
    """Loads a data set.

    Args:
      dataset: one of `NAMES`.
      data_dir: the folder of its files, or for a download; "" for the set's own default.
      **options: the set's own options, see the function that loads it.

    Raises:
      UsageError: the name or an option is unknown, or the set is missing or not valid.
      RunError: a download failed.
    """
    if dataset not in NAMES:
        raise UsageError(f"--dataset is {dataset!r}, but must be one of {', '.join(NAMES)}.")
    loader = _loader(dataset)
    parameters = list(inspect.signature(loader).parameters)
    accepted = [name for name in parameters if name != "data_dir"]
    for option in options:
        if option not in accepted:
            wanted = f"one of {', '.join(accepted)}" if accepted else "none"
            raise UsageError(f"--{option} is not an option of --dataset={dataset}: expected {wanted}.")
    if "data_dir" in parameters:  # the embedded sets have no folder
        options["data_dir"] = data_dir
    return loader(**options)


def _loader(dataset: str) -> Callable[..., Source]:
    """The function that loads a set; only that set's module and its dependencies are imported."""
    match dataset:
        case "houses":
            from tf2cases.data import houses

            return houses.load
        case "mnist" | "fashion_mnist":
            from tf2cases.data import mnist

            return functools.partial(mnist.load, dataset)
        case "mnist_sample":
            from tf2cases.data import mnist

            return mnist.load_sample
        case "celeba" | "lfw":
            from tf2cases.data import faces
            from tf2cases.data.pictures.dataset import load

            return functools.partial(load, dataset, functools.partial(faces.find, dataset), faces.SETS[dataset].whole)
        case "toy_faces":
            from tf2cases.data.toy_faces import dataset as toy_faces

            return toy_faces.load
        case "folder":
            from tf2cases.data.pictures.dataset import collection, load

            return functools.partial(load, dataset, collection, None)
    raise ValueError(f"{dataset!r} is one of NAMES, but no function loads it.")
