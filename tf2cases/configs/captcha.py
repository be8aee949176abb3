"""The options of the captcha reader."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tf2cases.configs import path_flags
from tf2cases.configs.run import OptimizerConfig, field, free_field, schedule_field

# Defaults that `--model=original` changes to the original settings; flags override them.
_ORIGINAL = dict(epochs=10, learning_rate=0.001, schedule="constant")


@dataclasses.dataclass(frozen=True)
class Config(OptimizerConfig):
    """This project's settings; `--model=original` selects the original ones: batches of 100, Adam 0.001, 10 epochs."""

    case = "captcha"
    naming_fields = ("model", "charset")

    dataset: str = field("captcha", "Data set to train on.", choices=("captcha",))
    data_dir: str = field(
        "",
        "Folder, .zip or .tar of training pictures named LABEL.png or LABEL-NUMBER.png; a tenth is held out for "
        "testing. Default: generate captchas.",
        path=path_flags.READ,
    )
    test_dir: str | None = free_field(
        None, "Folder, .zip or .tar of other pictures to evaluate on.", path=path_flags.READ
    )
    test_part: str = free_field(
        "all",
        "Which pictures of --test_dir to use: all, or the tenth that --data_dir would hold out.",
        choices=("all", "held_out"),
    )
    train_count: int | None = field(
        None, "Captchas to generate for training; default: 50000, or none with --data_dir.", minimum=0, maximum=10**8
    )
    test_count: int = field(2000, "Captchas to generate for testing.", minimum=1, maximum=10**8)
    cache_dir: str = free_field("data", "Cache folder for generated captchas.", path=path_flags.CACHE)
    workers: int | None = free_field(
        None, "Processes that generate captchas; default: one per processor.", minimum=1, maximum=256
    )
    charset: str | None = field(
        None,
        "Characters: digits, lower, upper, alnum, or the characters themselves; default: digits, or the characters of "
        "the labels in --data_dir.",
    )
    length: int | None = field(None, "Characters per captcha; default: 4, or as in --data_dir.", minimum=1, maximum=40)
    width: int | None = field(None, "Width in pixels; default: 160, or as in --data_dir.", minimum=1, maximum=10_000)
    height: int | None = field(None, "Height in pixels; default: 60, or as in --data_dir.", minimum=1, maximum=10_000)
    max_bad_images: int = field(0, "Maximum number of unreadable pictures to skip.", minimum=0, maximum=10**9)
    model: str = field(
        "reader",
        "Network. original also changes the defaults to 10 epochs at a constant learning rate of 0.001.",
        choices=("reader", "original"),
    )
    loss: str = field(
        "softmax",
        "softmax: cross-entropy of each head. binary: binary cross-entropy of all heads' softmax outputs, as in the "
        "original settings.",
        choices=("softmax", "binary"),
    )
    epochs: float | None = free_field(10, "Length of the run in epochs.", above=0, maximum=10**6)
    batch_size: int | None = field(100, "Examples per step, over all replicas.", minimum=1, maximum=2**16)
    learning_rate: float = field(0.002, "Largest learning rate.", above=0)
    schedule: str = schedule_field("cosine")

    @property
    def own_data(self) -> str:
        return self.data_dir

    def unused(self) -> dict[str, str]:
        found = super().unused()
        if not self.test_dir:
            found["test_part"] = "no --test_dir"
        else:
            found["test_count"] = "--test_dir, whose pictures are used for testing"
        if self.data_dir:
            found["test_count"] = "--data_dir, a tenth of which is held out for testing"
            if not self.train_count:
                why = "--data_dir and no --train_count, since no captchas are generated"
                found |= dict.fromkeys(("workers", "cache_dir"), why)
        elif not self.test_dir:
            found["max_bad_images"] = "neither --data_dir nor --test_dir"
        return found

    @classmethod
    def recipe_defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return _ORIGINAL if given.get("model") == "original" else {}
