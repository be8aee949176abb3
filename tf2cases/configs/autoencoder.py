"""The options of the denoising autoencoder."""

import dataclasses

from tf2cases.configs import path_flags
from tf2cases.configs.run import OptimizerConfig, field, free_field, recipe_field, schedule_field
from tf2cases.errors import UsageError

# The original settings.
_ORIGINAL = dict(
    model="original", epochs=100, fixed_noise=True, optimizer="adadelta", learning_rate=1.0, schedule="constant"
)


@dataclasses.dataclass(frozen=True)
class Config(OptimizerConfig):
    """This project's settings; `--recipe=original` selects the original ones: Adadelta 1.0, fixed noise, 100 epochs."""

    case = "autoencoder"
    recipes = {"original": _ORIGINAL}

    dataset: str = field("mnist", "Data set to train on.", choices=("mnist", "fashion_mnist", "mnist_sample", "folder"))
    size: int = field(
        28,
        "Side of the pictures in pixels; pictures of a folder are cropped and resized to it.",
        minimum=12,
        maximum=1024,
    )
    cache_dir: str = free_field("data", "Cache folder for the resized pictures of a folder.", path=path_flags.CACHE)
    max_bad_images: int = field(0, "Maximum number of unreadable pictures to skip.", minimum=0, maximum=10**9)
    epochs: float | None = free_field(20, "Length of the run in epochs.", above=0, maximum=10**6)
    model: str = field("skip", "Network.", choices=("skip", "original"))
    recipe: str = recipe_field(("default", "original"), "original: the original settings.")
    noise: float = field(0.5, "Standard deviation of the noise; pixels lie in [0, 1].", above=0)
    fixed_noise: bool = field(False, "Draw the noise of each training picture once instead of in each epoch.")
    optimizer: str = field("adam", "Optimizer.", choices=("adam", "adadelta"))
    learning_rate: float = field(0.005, "Largest learning rate.", above=0)
    schedule: str = schedule_field("cosine")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dataset != "folder" and self.size != 28:
            raise UsageError(f"--size is {self.size}, but must be 28 for --dataset={self.dataset}.")
        if self.size % 4:
            raise UsageError(f"--size is {self.size}, but must be a multiple of 4: the network halves it twice.")

    def unused(self) -> dict[str, str]:
        found = super().unused()
        if self.dataset != "folder":
            why = f"--dataset={self.dataset}, whose pictures are used as they are"
            found |= dict.fromkeys(("cache_dir", "max_bad_images"), why)
        return found

    @property
    def own_data(self) -> str:
        return self.data_dir if self.dataset == "folder" else ""
