"""What the programs around Inception-v3 share: which weights, which names."""

import os

from tf2cases.programs import quiet as _quiet  # isort: skip  # noqa: F401  (before TensorFlow)

from absl import flags

from tf2cases import inception_v3
from tf2cases.configs.inception_v3 import WEIGHTS_DIR, WEIGHTS_DIR_HELP, WEIGHTS_HELP
from tf2cases.inception_v3 import labels, weights

_SHOWN = 6  # names of tensors that are left over


def define_weights(values):
    """Defines the flags that say which network is meant."""
    flags.DEFINE_string(
        "weights",
        "2015",
        WEIGHTS_HELP,
        flag_values=values,
    )
    flags.DEFINE_string("weights_dir", WEIGHTS_DIR, WEIGHTS_DIR_HELP, flag_values=values)
    flags.DEFINE_string(
        "labels",
        None,
        f"What the classes are called: {labels.LABEL_MAP} with {labels.HUMAN_MAP} beside it, {labels.CLASS_INDEX}, or "
        "`numbers`; default: looked for beside the weights and in --weights_dir.",
        flag_values=values,
    )


def load_model(values, top_k):
    """The `InceptionV3` that the flags name; says which tensors of the file are left over."""
    loaded = weights.load(values["weights"].value, values["weights_dir"].value)
    if loaded.left_over:
        names = ", ".join(loaded.left_over[:_SHOWN])
        more = f" and {len(loaded.left_over) - _SHOWN} more" if len(loaded.left_over) > _SHOWN else ""
        print(f"{loaded.source}: every variable is assigned; left over are {names}{more}.")
    names = class_names(values, loaded.network.classes, loaded.source)
    return inception_v3.InceptionV3(loaded.network, loaded.preprocessing, names, top_k)


def class_names(values, classes, source):
    """The names of the classes.

    Args:
      values: the flags.
      classes: how many; 0 needs no names.
      source: where the weights are from.

    Raises:
      UsageError, RunError: see `labels.class_names` and `weights.find`.
    """
    given, weights_dir = values["labels"].value, values["weights_dir"].value
    if not classes:
        return ()
    if given and given != "numbers":
        return labels.class_names(given, classes)
    if given != "numbers":
        for folder in (os.path.dirname(source), weights_dir):
            for file in (labels.LABEL_MAP, labels.CLASS_INDEX):
                path = os.path.join(folder, file)
                # The order of the graph of 2015 is in the label map only.
                if os.path.exists(path) and (classes <= 1001 or file == labels.LABEL_MAP):
                    return labels.class_names(path, classes)
        if source != "random":
            published = weights.CLASS_INDEX if classes <= 1001 else weights.LABEL_MAP
            return labels.class_names(weights.find(published, weights_dir), classes)
    return [f"class {number}" for number in range(classes)]
