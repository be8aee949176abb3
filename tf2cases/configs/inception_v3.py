"""Sources of weights for Inception-v3."""

import os

from tf2cases.errors import UsageError

# Published weight files, by name; and random weights, for tests and experiments.
PUBLISHED = ("2015", "keras", "keras_notop", "slim")
WEIGHTS = (*PUBLISHED, "random")
WEIGHTS_DIR = os.path.join("data", "inception_v3")
BLOCKS = 18  # in the network, from picture to feature map

WEIGHTS_HELP = (
    f"Weights: {', '.join(WEIGHTS)}; or the path of a frozen graph (.pb), a Keras file (.keras or .h5), or a "
    "checkpoint of TF-Slim."
)
WEIGHTS_DIR_HELP = "Folder of published weights; missing ones are downloaded to it."


def check_weights(weights: str) -> None:
    """Checks the name or path of weights.

    Raises:
      UsageError: the weights are neither in `WEIGHTS` nor a file.
    """
    # A checkpoint is named by the common prefix of its files.
    if weights not in WEIGHTS and not os.path.isfile(weights) and not os.path.isfile(f"{weights}.index"):
        raise UsageError(
            f"--weights is {weights!r}, but must be one of {', '.join(WEIGHTS)}, or the path of a .pb, .keras, .h5 "
            "or checkpoint file."
        )
