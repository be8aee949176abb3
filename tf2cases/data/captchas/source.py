"""Captchas as a data set: generated ones, those of a folder, or both."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tf2cases.configs.captcha import Config
from tf2cases.data.captchas import folder, generated
from tf2cases.data.captchas.text import Charset
from tf2cases.data.source import Source, Split
from tf2cases.errors import UsageError

_TRAIN_COUNT = 50_000  # captchas that are generated for training if neither a number nor a folder is given


def load(config: Config) -> Source:
    """Loads the captchas that a config describes.

    Returns:
      Source with "images" uint8 [N, height, width, 1] and "labels" uint8 [N, length]; `info` has image_shape, charset
      (the characters) and length.

    Raises:
      UsageError: see `folder.load` and `generated.load`, or there is nothing to train on.
      RunError: the disk is full, or a worker failed.
    """
    kind = dict(charset=config.charset, length=config.length, width=config.width, height=config.height)
    labelled, parts = None, []
    if config.data_dir:
        labelled = folder.load(config.data_dir, max_bad_images=config.max_bad_images, **kind)
        kind = _kind(labelled.info)
        parts.append(labelled.train)
    count = config.train_count
    if count is None:
        count = 0 if labelled else _TRAIN_COUNT
    if count:
        given = {name: value for name, value in kind.items() if value is not None}
        stream = generated.TRAIN_STREAM
        parts.insert(0, generated.load(config.cache_dir, stream, config.seed, count, workers=config.workers, **given))
    if not parts:
        raise UsageError("--train_count is 0, but must be greater than 0 if no --data_dir is given.")
    info = labelled.info if labelled else folder.info(**parts[0], charset=Charset(config.charset or "digits"))
    train = parts[0] if len(parts) == 1 else {n: np.concatenate([part[n] for part in parts]) for n in parts[0]}
    return Source(config.dataset, {"train": train, "test": _test_split(config, info, labelled)}, info)


def load_test(config: Config, info: Mapping[str, Any]) -> Source:
    """Loads the captchas on which to evaluate a trained reader, with the parameters in `info`.

    They come from --test_dir, else from the held-out tenth of --data_dir, else they are generated.

    Raises:
      UsageError: see `folder.read`, or no picture of --test_dir is chosen.
    """
    return Source(config.dataset, {"test": _test_split(config, info)}, info)


def _test_split(config: Config, info, labelled: Source | None = None) -> Split:
    """`labelled`: the source of --data_dir, if it was loaded already."""
    kind = _kind(info)
    if config.test_dir:
        found = folder.read(config.test_dir, max_bad_images=config.max_bad_images, **kind)
        chosen = np.array([config.test_part == "all" or folder.is_held_out(name) for name in found.names])
        if not chosen.any():
            raise UsageError(f"--test_part is {config.test_part!r}, but {config.test_dir} has no such picture.")
        return {"images": found.images[chosen], "labels": found.labels[chosen]}
    if config.data_dir:
        return (labelled or folder.load(config.data_dir, max_bad_images=config.max_bad_images, **kind)).test
    stream, seed = generated.TEST_STREAM, generated.TEST_SEED
    return generated.load(config.cache_dir, stream, seed, config.test_count, workers=config.workers, **kind)


def _kind(info) -> dict:
    height, width, _ = info["image_shape"]
    return dict(charset=info["charset"], length=info["length"], width=width, height=height)
