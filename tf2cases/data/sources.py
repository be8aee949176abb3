"""Data sets by name."""

import inspect

from tf2cases.data import faces, houses, mnist
from tf2cases.data.captchas import dataset as captcha
from tf2cases.data.captchas import folder as captcha_folder
from tf2cases.data.pictures import dataset as picture_set
from tf2cases.data.toy_faces import dataset as toy_faces
from tf2cases.errors import UsageError


def _houses(data_dir, csv=None, features=None, target=None, header="auto"):
    return houses.load(csv, features, target, header)


# name -> loader(data_dir, **options) -> Source; the embedded sets need no directory.
_LOADERS = {
    "houses": _houses,
    "mnist": lambda data_dir: mnist.load("mnist", data_dir),
    "fashion_mnist": lambda data_dir: mnist.load("fashion_mnist", data_dir),
    "mnist_sample": lambda data_dir: mnist.load_sample(),
    "captcha": captcha.load,
    "captcha_folder": captcha_folder.load,
    "folder": picture_set.load_folder,
    "celeba": faces.load_celeba,
    "lfw": faces.load_lfw,
    "toy_faces": toy_faces.load,
}
NAMES = tuple(_LOADERS)


def load(dataset, data_dir="", **options):
    """Loads a data set.

    Args:
      dataset: one of `NAMES`.
      data_dir: where its files are, or where a download goes; "" for the set's own default.
      **options: the set's own, see its file.

    Returns:
      Source.

    Raises:
      UsageError: the name or an option is unknown, or the set is not to be had or not valid.
      RunError: a download failed.
    """
    if dataset not in _LOADERS:
        raise UsageError(f"--dataset is {dataset!r}, but must be one of {', '.join(NAMES)}.")
    loader = _LOADERS[dataset]
    accepted = list(inspect.signature(loader).parameters)[1:]
    for option in options:
        if option not in accepted:
            wanted = f"one of {', '.join(accepted)}" if accepted else "none"
            raise UsageError(f"--{option} is not an option of --dataset={dataset}: expected {wanted}.")
    return loader(data_dir, **options)
