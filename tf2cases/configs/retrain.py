"""The options of retraining the last layer of Inception-v3."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tf2cases.configs import inception_v3, path_flags
from tf2cases.configs.run import OptimizerConfig, field, free_field
from tf2cases.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Config(OptimizerConfig):
    """The settings of TensorFlow's retrain.py: gradient descent with rate 0.01, batches of 100, 4,000 steps."""

    case = "retrain"

    dataset: str = field("folder", "Data set to train on.", choices=("folder",))
    data_dir: str = free_field(
        "",
        "Folder, .zip, .tar or .tgz with one sub-folder of pictures per class; the sub-folders name the classes.",
        path=path_flags.READ,
    )
    weights: str = field("2015", inception_v3.WEIGHTS_HELP, path=path_flags.OTHER)
    weights_dir: str = free_field(inception_v3.WEIGHTS_DIR, inception_v3.WEIGHTS_DIR_HELP, path=path_flags.CACHE)
    cache_dir: str = free_field("data", "Cache folder for features.", path=path_flags.CACHE)
    max_bad_images: int = field(0, "Maximum number of unreadable files to skip.", minimum=0, maximum=10**9)
    steps: int | None = free_field(4000, "Length of the run in steps (instead of --epochs).", minimum=1, maximum=10**9)
    batch_size: int | None = field(100, "Examples per step, over all replicas.", minimum=1, maximum=2**16)
    learning_rate: float = field(0.01, "Largest learning rate.", above=0)
    distort: bool = field(
        False,
        "Flip, crop, scale and brighten the training pictures at random. Each step then runs the whole network, which "
        "takes far longer.",
    )
    fine_tune: int = field(
        0,
        "Also train this many of the network's last blocks; its last 11 blocks are the mixed ones.",
        minimum=0,
        maximum=inception_v3.BLOCKS,
    )
    top_k: int = free_field(5, "Number of top classes that the export returns.", minimum=1, maximum=100_000)
    eval_every: int = free_field(100, "Steps between evaluations; 0: once per epoch.", minimum=0, maximum=10**9)
    checkpoint_every: int = free_field(500, "Steps between checkpoints; 0: once per epoch.", minimum=0, maximum=10**9)

    @property
    def own_data(self) -> str:
        return self.data_dir

    def unused(self) -> dict[str, str]:
        found = super().unused()
        if self.weights not in inception_v3.PUBLISHED:
            found["weights_dir"] = f"--weights={self.weights}, which is none of the published weights"
        return found

    @classmethod
    def resolve(cls, given: Mapping[str, Any]) -> "Config":
        config = super().resolve(given)
        if not config.data_dir:
            raise UsageError("--data_dir is missing: it must be a folder with a sub-folder of pictures per class.")
        inception_v3.check_weights(config.weights)
        return config
