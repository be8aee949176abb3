"""The options of the DCGAN."""

import dataclasses
from typing import Any

from tf2cases.configs import path_flags
from tf2cases.configs.run import OptimizerConfig, ema_field, field, free_field
from tf2cases.errors import UsageError

DIGITS = ("mnist", "fashion_mnist", "mnist_sample")
FACES = ("celeba", "lfw", "toy_faces", "folder")


@dataclasses.dataclass(frozen=True)
class Config(OptimizerConfig):
    """The original settings: batches of 100, Adam 0.0002 with beta1 0.5, 100 latents, D-G-G, 60,000 iterations."""

    case = "dcgan"
    usual_log_every = 20

    dataset: str = field("mnist", "Data set to train on.", choices=DIGITS + FACES)
    size: int | None = field(
        None,
        "Side of the pictures in pixels: a multiple of 16, or 4 more than a multiple of 8; default: 28 for digits, "
        "else 64.",
        minimum=12,
        maximum=1024,
    )
    crop: str = field("none", "Side in pixels of the centred square to crop before resizing; none: the largest.")
    cache_dir: str = free_field("data", "Cache folder for resized pictures.", path=path_flags.CACHE)
    max_bad_images: int = field(0, "Maximum number of unreadable pictures to skip.", minimum=0, maximum=10**9)
    steps: int | None = free_field(60000, "Length of the run in steps (instead of --epochs).", minimum=1, maximum=10**9)
    batch_size: int | None = field(100, "Examples per step, over all replicas.", minimum=1, maximum=2**16)
    learning_rate: float = field(0.0002, "Largest learning rate.", above=0)
    latent_dim: int = field(100, "Number of latent variables.", minimum=1, maximum=2**16)
    d_steps: int = field(1, "Discriminator updates per iteration, each with its own latents.", minimum=1, maximum=100)
    g_steps: int = field(2, "Generator updates per iteration.", minimum=1, maximum=100)
    loss: str = field(
        "standard",
        "Adversarial loss. wasserstein_gp: no batch norm in the discriminator.",
        choices=("standard", "hinge", "least_squares", "wasserstein_gp"),
    )
    spectral_norm: bool = field(False, "Spectral normalization in the discriminator instead of batch norm.")
    ema: float = ema_field("Sample from and export an exponential moving average of the generator")
    sample_every: int = free_field(
        0, "Steps between montages of the same 100 latents; 0: 1000 for digits, else 500.", minimum=0, maximum=10**9
    )
    eval_every: int = free_field(0, "Steps between evaluations; 0: as often as montages.", minimum=0, maximum=10**9)
    checkpoint_every: int = free_field(
        0, "Steps between checkpoints; 0: as often as montages.", minimum=0, maximum=10**9
    )
    log_every: int | None = free_field(
        None,
        "Steps between reports of the training metrics; default: 20, or a twentieth of a shorter run.",
        minimum=1,
        maximum=10**9,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is None:
            return
        if self.dataset in DIGITS and self.size != 28:
            raise UsageError(f"--size is {self.size}, but must be 28 for --dataset={self.dataset}.")
        if self.size % 16 and self.size % 8 != 4:
            raise UsageError(f"--size is {self.size}, but must be a multiple of 16, or 4 more than a multiple of 8.")

    def unused(self) -> dict[str, str]:
        found = super().unused()
        if self.dataset in DIGITS:
            why = f"--dataset={self.dataset}, whose pictures are used as they are"
            found |= dict.fromkeys(("crop", "cache_dir", "max_bad_images"), why)
        elif self.dataset == "toy_faces":
            found |= dict.fromkeys(("crop", "max_bad_images"), "--dataset=toy_faces, whose pictures are drawn")
        return found

    @property
    def own_data(self) -> str:
        return self.data_dir if self.dataset == "folder" else ""

    @property
    def normalization(self) -> str:
        """The discriminator's normalization: "batch", "spectral" or "none"."""
        if self.spectral_norm:
            return "spectral"
        return "none" if self.loss == "wasserstein_gp" else "batch"

    @property
    def picture_options(self) -> dict[str, Any]:
        """Options for loading the pictures. Digits are used as they are; toy faces are drawn at the requested size."""
        if self.dataset in DIGITS:
            return {}
        options = dict(size=self.size or 64, cache_dir=self.cache_dir)
        if self.dataset == "toy_faces":
            return options
        channels = None if self.dataset == "folder" else 3
        return options | dict(channels=channels, crop=self.crop, max_bad_images=self.max_bad_images)

    def with_examples(self, examples: int) -> Any:
        config: Any = super().with_examples(examples)
        if config.batch_size > examples:
            raise UsageError(
                f"--batch_size is {config.batch_size}, but must be at most {examples}, the number of training pictures."
            )
        every = self.sample_every or (1000 if self.dataset in DIGITS else 500)
        return dataclasses.replace(
            config,
            sample_every=every,
            eval_every=self.eval_every or every,
            checkpoint_every=self.checkpoint_every or every,
        )
