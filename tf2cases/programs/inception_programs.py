"""Shared code of the Inception-v3 programs: its weights and the names of its classes."""

import itertools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from tf2cases import quiet
from tf2cases.configs import path_flags
from tf2cases.configs.inception_v3 import WEIGHTS_DIR, WEIGHTS_DIR_HELP, WEIGHTS_HELP, check_weights
from tf2cases.errors import UsageError

if TYPE_CHECKING:
    from tf2cases.inception_v3 import InceptionV3

_SHOWN = 6  # names of unused tensors that are printed


def define_weights(values: flags.FlagValues) -> None:
    """Defines the flags that select weights and class names."""
    path_flags.define("weights", "2015", WEIGHTS_HELP, path_flags.OTHER, values)
    path_flags.define("weights_dir", WEIGHTS_DIR, WEIGHTS_DIR_HELP, path_flags.CACHE, values)
    text = (
        "File with the names of the classes: the label map of 2015 (.pbtxt, next to its human label map) or a "
        "class index (.json); or `numbers`. Default: a file next to the weights or in --weights_dir."
    )
    path_flags.define("labels", None, text, path_flags.OTHER, values)


def check_sources(values: flags.FlagValues) -> None:
    """Checks the flags that select weights and class names, before anything is loaded.

    Raises:
      UsageError: they name neither known weights or class names, nor a file.
    """
    check_weights(values.weights)
    if values.labels not in (None, "numbers"):
        path_flags.check("labels", values.labels, path_flags.READ)


def load_model(values: flags.FlagValues) -> "InceptionV3":
    """Loads the model that the flags select, and prints which tensors of the weights file are unused.

    Raises:
      UsageError, RunError: see `weights.load` and `class_names`.
    """
    check_sources(values)
    quiet.import_tensorflow()
    from tf2cases import inception_v3

    loaded = inception_v3.weights.load(values.weights, values.weights_dir)
    if loaded.left_over:
        shown = ", ".join(loaded.left_over[:_SHOWN])
        more = f" and {len(loaded.left_over) - _SHOWN} more" if len(loaded.left_over) > _SHOWN else ""
        print(f"{loaded.source}: every variable is assigned; unused tensors: {shown}{more}.")
    names = class_names(values, loaded.network.classes, loaded.source)
    if not names:
        print(f"{loaded.source} has no classes of its own, so only features can be had.")
    return inception_v3.InceptionV3(loaded.network, loaded.preprocessing, names, values.top_k)


def class_names(values: flags.FlagValues, classes: int, source: str) -> Sequence[str]:
    """The names of the classes.

    Args:
      values: the flags.
      classes: number of classes; 0 needs no names.
      source: where the weights come from: a path, or "random".

    Raises:
      UsageError, RunError: see `labels.class_names` and `weights.find`.
    """
    from tf2cases.inception_v3 import labels, weights

    if not classes:
        for name in ("labels", "top_k"):
            if values[name].present:
                raise UsageError(
                    f"--{name} is {values[name].value!r}, but {source} has no classes, so that only features can be "
                    "had: leave it out."
                )
        return ()
    if values.labels not in (None, "numbers"):
        return labels.class_names(values.labels, classes)
    imagenet = classes in (1000, 1001, 1008)  # other networks have somebody's own classes
    if values.labels is None:
        # Only the label map has the class order of the graph of 2015.
        files = (labels.LABEL_MAP, labels.CLASS_INDEX) if classes <= 1001 else (labels.LABEL_MAP,)
        folders = (os.path.dirname(source), values.weights_dir) if imagenet else (os.path.dirname(source),)
        for folder, file in itertools.product(folders, files):
            if os.path.exists(path := os.path.join(folder, file)):
                return labels.class_names(path, classes)
        if source != "random" and imagenet:
            published = weights.CLASS_INDEX if classes <= 1001 else weights.LABEL_MAP
            return labels.class_names(weights.find(published, values.weights_dir), classes)
    return [f"class {number}" for number in range(classes)]
