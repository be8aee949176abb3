"""The options of the digit classifier."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tf2cases.configs.run import OptimizerConfig, ema_field, field, free_field, recipe_field

# Defaults that `--recipe=best` changes; flags override them. Chosen by measurement (docs/measurements.md).
_BEST = {
    "mlp": dict(epochs=40, schedule="cosine", augment=True, learning_rate=0.001),
    "cnn": dict(epochs=16, schedule="cosine", augment=True, learning_rate=0.001),
    "small_cnn": dict(epochs=16, schedule="cosine", augment=True, learning_rate=0.003),
}


@dataclasses.dataclass(frozen=True)
class Config(OptimizerConfig):
    """The original settings: Adam with rate 0.001 and epsilon 1e-7, batches of 128, 5 epochs."""

    case = "mnist"
    always_named = ("model",)

    dataset: str = field("mnist", "Data set to train on.", choices=("mnist", "fashion_mnist", "mnist_sample"))
    epochs: float | None = free_field(5, "Length of the run in epochs.", above=0, maximum=10**6)
    model: str = field("cnn", "Network; small_cnn has 64,842 parameters.", choices=("mlp", "cnn", "small_cnn"))
    recipe: str = recipe_field(("original", "best"), "best: more epochs, a cosine schedule and augmentation.")
    augment: bool = field(False, "Shift, rotate, scale and shear the training digits at random.")
    dropout: bool = field(True, "Use the CNN's dropout layers.")
    ema: float = ema_field("Evaluate and export an exponential moving average of the weights")

    def unused(self) -> dict[str, str]:
        found = super().unused()
        if self.model != "cnn":
            found["dropout"] = f"--model={self.model}, which has no dropout layers"
        return found

    @classmethod
    def recipe_defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return _BEST.get(given.get("model", cls.model), {}) if given.get("recipe") == "best" else {}
