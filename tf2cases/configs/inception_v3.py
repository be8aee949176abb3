"""Where weights of Inception-v3 come from."""

import os

from tf2cases.errors import UsageError

# Published files of weights, by name; and random weights, for tests and for trying things out.
PUBLISHED = ("2015", "keras", "keras_notop", "slim")
WEIGHTS = (*PUBLISHED, "random")
WEIGHTS_DIR = os.path.join("data", "inception_v3")
BLOCKS = 18  # of the network, from picture to feature map

WEIGHTS_HELP = (
    f"Weights: {', '.join(WEIGHTS)}; or the path of a frozen graph (.pb), a Keras file (.h5), or a checkpoint of "
    "TF-Slim."
)
WEIGHTS_DIR_HELP = "Folder where published weights are looked for, and downloaded to."


def check_weights(weights: str) -> None:
    """Refuses weights that are neither published ones nor a file.

    Raises:
      UsageError: as said.
    """
    # A checkpoint is named by what its files have in common.
    if weights not in WEIGHTS and not os.path.isfile(weights) and not os.path.isfile(f"{weights}.index"):
        raise UsageError(
            f"--weights is {weights!r}, but must be one of {', '.join(WEIGHTS)}, or the path of a .pb, .h5 or "
            "checkpoint file."
        )
