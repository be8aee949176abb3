"""The options of the variational autoencoder."""

import dataclasses
import math
from typing import Any

from tf2cases.configs.run import OptimizerConfig, field, free_field, recipe_field


@dataclasses.dataclass(frozen=True)
class Config(OptimizerConfig):
    """The original settings: RMSprop with rate 0.001, batches of 100, 50 epochs, two latent variables."""

    case = "vae"
    # Chosen by measurement (docs/measurements.md).
    recipes = {"best": dict(epochs=100, schedule="cosine", learning_rate=0.005, input_dropout=0.1)}

    dataset: str = field("mnist", "Data set to train on.", choices=("mnist", "fashion_mnist", "mnist_sample"))
    epochs: float | None = free_field(50, "Length of the run in epochs.", above=0, maximum=10**6)
    batch_size: int | None = field(100, "Examples per step, over all replicas.", minimum=1, maximum=2**16)
    recipe: str = recipe_field(
        ("original", "best"), "best: more epochs, a cosine schedule from a higher rate, and input dropout."
    )
    latent_dim: int = field(2, "Number of latent variables.", minimum=1, maximum=2**16)
    binarize: str = field(
        "none",
        "none: learn grey levels. static: pixels are 1 if their grey level is at least 0.5, else 0. dynamic: at every "
        "step, each pixel is drawn as 1 with its grey level as probability, else 0.",
        choices=("none", "static", "dynamic"),
    )
    beta: float = field(1.0, "Weight of the KL divergence in the loss.", minimum=0)
    input_dropout: float = field(
        0.0, "Fraction of pixels hidden from the encoder during training.", minimum=0, maximum=0.9
    )
    iwae: int = free_field(
        0,
        "Also evaluate the importance-weighted bound with this many draws per example; 0: do not.",
        minimum=0,
        maximum=100_000,
    )
    sample_every: int = free_field(
        0,
        "Steps between pictures of the manifold, which are combined into a GIF; 0: 20 pictures in total.",
        minimum=0,
        maximum=10**9,
    )

    def with_examples(self, examples: int) -> Any:
        config: Any = super().with_examples(examples)
        return dataclasses.replace(config, sample_every=self.sample_every or math.ceil(config.steps / 20))
