"""Configs: frozen dataclasses, one field for each thing that a run can be told.

A field is declared once, with `field(default, help, ...)`. Its command-line flag (see `flags`), its check, its line in
`config.json` and the rule for resuming a run all come from that declaration.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from tf2cases.errors import UsageError

C = typing.TypeVar("C", bound="RunConfig")

# The names that `nn.precision` and `nn.schedules` know; TensorFlow is not imported here.
PRECISIONS = ("float32", "bfloat16", "float16")
SCHEDULES = ("constant", "cosine")


def field(
    default: Any,
    help: str,
    *,
    choices: tuple | None = None,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    numeric: bool = True,
) -> Any:
    """Declares one field of a config.

    Args:
      default: the default value; None stands for one that follows from the other fields.
      help: one sentence for `--help`, with the unit.
      choices: the values accepted, or None.
      minimum: the least value accepted, or None.
      above: the value must be greater than this, or None.
      maximum: the greatest value accepted, or None.
      numeric: whether another value would change the run's numbers. The others (cadences, places) may differ when a
        run is resumed.
    """
    metadata = dict(help=help, choices=choices, minimum=minimum, above=above, maximum=maximum, numeric=numeric)
    return dataclasses.field(default=default, metadata=metadata)


def free_field(default: Any, help: str, **limits: Any) -> Any:
    """Declares a field that is not numeric: a cadence or a place, which is free to differ when a run is resumed."""
    return field(default, help, numeric=False, **limits)


def recipe_field(names: tuple[str, ...], changes: str) -> Any:
    """Declares the field `recipe`: the names, the usual one first, and what another one changes."""
    return free_field(names[0], f"Defaults of the other flags. {changes}", choices=names)


def schedule_field(default: str) -> Any:
    """Declares the field `schedule`."""
    return field(default, "Learning-rate schedule. cosine: falls to 0 at the last step.", choices=SCHEDULES)


def ema_field(use: str) -> Any:
    """Declares the field `ema`; `use` says what the average is of, and what for."""
    return field(0.0, f"{use} with this decay; 0: none.", minimum=0, maximum=0.9999)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What every case can be told. A case's own config inherits from it and replaces defaults.

    Raises (on construction):
      UsageError: a value that its field's declaration does not accept.
    """

    dataset: str = field("", "Data set to train on.")
    data_dir: str = free_field("data", "Folder where data sets are looked for, and downloaded to.")
    workdir: str | None = free_field(None, "Folder of the run; a run found there is resumed. Default: runs/NAME.")
    export_dir: str = free_field("exports", "Folder for the trained model, exported as NAME/VERSION; empty: no export.")
    no_warmup: bool = free_field(False, "Leave TF Serving's warm-up requests out of the export.")
    steps: int | None = free_field(None, "Length of the run in steps (instead of --epochs).", minimum=1)
    epochs: float | None = free_field(None, "Length of the run in epochs.", above=0)
    batch_size: int | None = field(128, "Examples per step, over all replicas.", minimum=1)
    seed: int = field(0, "Seed of all random draws: initial weights, order, dropout, noise.", minimum=0)
    precision: str = field("float32", "Dtype the networks compute in; weights are float32.", choices=PRECISIONS)
    jit: str = field(
        "auto",
        "Compile the step with XLA. auto: where measurements showed that to be faster.",
        choices=("auto", "on", "off"),
    )
    strategy: str = free_field(
        "auto",
        "Distribution strategy. auto: mirrored if there are several GPUs.",
        choices=("auto", "single", "mirrored", "multi_worker"),
    )
    log_every: int = free_field(100, "Steps between reports of the training metrics.", minimum=1)
    eval_every: int = free_field(0, "Steps between evaluations; 0: once per epoch.", minimum=0)
    checkpoint_every: int = free_field(0, "Steps between checkpoints; 0: once per epoch.", minimum=0)
    keep_checkpoints: str = free_field("3", "How many of the newest checkpoints to keep, or all.")
    pictures_every: int = free_field(0, "Steps between pictures; 0: at the end only.", minimum=0)
    deterministic: bool = free_field(False, "Use deterministic operations only: runs repeat bit by bit.")
    overwrite: bool = free_field(False, "Start anew in a workdir that holds another run.")

    # Steps between samples (see `training.Case.samples`); a case that draws samples makes it a field.
    sample_every = 0

    # The learning rate's; a case with an optimizer makes it a field.
    schedule = "constant"

    # The defaults that a `recipe` changes, where no flag says otherwise: {recipe: {field name: value}}.
    recipes: typing.ClassVar[dict[str, dict[str, Any]]] = {}

    # The key of the case's class in `cases.REGISTRY`; set by each case's config.
    case = ""

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            _check(f, getattr(self, f.name))
        kept = str(self.keep_checkpoints)
        if kept != "all" and not (kept.isdecimal() and int(kept)):
            raise UsageError(f"--keep_checkpoints is {kept!r}, but must be a number of at least 1, or all.")

    @property
    def checkpoints_kept(self) -> int | None:
        """How many of the newest checkpoints are kept; None: all."""
        return None if self.keep_checkpoints == "all" else int(self.keep_checkpoints)

    @property
    def name(self) -> str:
        """The run's name, of its default workdir and its export: the case's, and the model's where it has several."""
        return self.case

    @classmethod
    def recipe_defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults that depend on what was given (a recipe, a model): {field name: value}."""
        return cls.recipes.get(given.get("recipe", ""), {})

    @classmethod
    def resolve(cls: type[C], given: Mapping[str, Any]) -> C:
        """Makes the config from the fields that were given, {field name: value}.

        Raises:
          UsageError: both steps and epochs, or a value that is not accepted.
        """
        if given.get("steps") is not None and given.get("epochs") is not None:
            raise UsageError(
                f"--steps={given['steps']} and --epochs={given['epochs']} were both given, but only one of them can be."
            )
        values = {**cls.recipe_defaults(given), **given}
        if given.get("steps") is not None:
            values["epochs"] = None
        return cls(**values)

    @classmethod
    def from_record(cls: type[C], values: Mapping[str, Any]) -> C:
        """The config whose fields `config.json` holds.

        Raises:
          UsageError: a field that this version does not have, or a value that is not accepted.
        """
        unknown = sorted(set(values) - {f.name for f in dataclasses.fields(cls)})
        if unknown:
            raise UsageError(
                f"config.json has the field {unknown[0]!r}, which configs of {cls.case} do not have; it was written by "
                "another version."
            )
        return cls(**values)

    def with_examples(self: C, examples: int) -> C:
        """The config with `steps` and `batch_size` worked out for that many training examples."""
        batch_size = self.batch_size or examples
        steps = self.steps
        if self.epochs is not None:
            steps = max(1, math.ceil(round(self.epochs * examples / batch_size, 6)))
        return dataclasses.replace(self, steps=steps, batch_size=batch_size)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(RunConfig):
    """The options that all cases with an optimizer share."""

    learning_rate: float = field(0.001, "Largest learning rate.", above=0)
    schedule: str = schedule_field("constant")
    warmup_steps: int = field(0, "Steps over which the learning rate first rises.", minimum=0)
    clip_norm: float | None = field(None, "Largest global norm of the gradients; default: no limit.", above=0)

    def with_examples(self, examples: int) -> Any:
        config: Any = super().with_examples(examples)
        if config.warmup_steps >= config.steps:
            raise UsageError(
                f"--warmup_steps is {config.warmup_steps}, but must be less than the run's {config.steps} steps."
            )
        return config


def _check(declared, value):
    meta, wanted = declared.metadata, None
    if value is None:
        return
    if isinstance(value, float) and not math.isfinite(value):
        wanted = "a finite number"
    elif meta["choices"] is not None and value not in meta["choices"]:
        wanted = "one of " + ", ".join(map(str, meta["choices"]))
    elif meta["minimum"] is not None and value < meta["minimum"]:
        wanted = f"at least {meta['minimum']}"
    elif meta["above"] is not None and value <= meta["above"]:
        wanted = f"greater than {meta['above']}"
    elif meta["maximum"] is not None and value > meta["maximum"]:
        wanted = f"at most {meta['maximum']}"
    if wanted:
        raise UsageError(f"--{declared.name} is {value!r}, but must be {wanted}.")


def field_types(config_class: type) -> dict[str, type]:
    """{field name: bool, int, float or str} of a config class; `int | None` counts as int."""
    hints = typing.get_type_hints(config_class)

    def base(annotation):
        if isinstance(annotation, types.UnionType):
            return next(t for t in typing.get_args(annotation) if t is not type(None))
        return annotation

    return {f.name: base(hints[f.name]) for f in dataclasses.fields(config_class)}


def differences(config: "RunConfig", other: "RunConfig") -> list[str]:
    """Names of the fields in which two configs of one class would give different numbers."""
    names = [f.name for f in dataclasses.fields(config) if f.metadata["numeric"]]
    if {config.schedule, other.schedule} != {"constant"}:  # else the number of steps changes no step
        names.append("steps")
    return [n for n in names if getattr(config, n) != getattr(other, n)]
