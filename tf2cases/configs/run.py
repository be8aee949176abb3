"""Configs: frozen dataclasses with one field per option of a run.

A field is declared once, with `field(default, help, ...)`. Its command-line flag (see `flags`), its validation, its
line in `config.json` and whether it may change when a run is resumed all follow from that declaration.
"""

import dataclasses
import difflib
import math
import numbers
import os
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from tf2cases.configs import path_flags
from tf2cases.errors import UsageError

C = typing.TypeVar("C", bound="RunConfig")

# Help of a flag that `bin.export` has, too.
PUBLISH_AS_HELP = (
    "Name of the export; prints the metrics of the version that it supersedes. Default: the workdir's name."
)

# The names in `nn.precision` and `nn.schedules`, repeated because TensorFlow is not imported here.
PRECISIONS = ("float32", "bfloat16", "float16")
SCHEDULES = ("constant", "cosine")

# Data sets that come with the package or are drawn, so that they have no folder.
EMBEDDED = ("houses", "mnist_sample", "toy_faces")


_ARCHIVE = re.compile(r"\.(tar|tgz|zip|csv)$|\.tar\.\w+$", re.IGNORECASE)


def field(
    default: Any,
    help: str,
    *,
    choices: tuple | None = None,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    numeric: bool = True,
    path: str | None = None,
    may_be_empty: bool = False,
) -> Any:
    """Declares one field of a config.

    Args:
      default: the default value; None if it follows from the other fields.
      help: one sentence for `--help`, with the unit.
      choices: the values accepted, or None.
      minimum: the smallest value accepted, or None.
      above: the value must be greater than this, or None.
      maximum: the largest value accepted, or None; every int must have one.
      numeric: whether a different value would change the run's results. The other fields (intervals, paths) may change
        when a run is resumed.
      path: what the path is used for (see `path_flags`) if the value is one, else None.
      may_be_empty: whether the flag of a path accepts the empty text, whose meaning `help` says.
    """
    limits: dict[str, Any] = dict(choices=choices, minimum=minimum, above=above, maximum=maximum)
    metadata = dict(help=help, numeric=numeric, path=path, may_be_empty=may_be_empty, **limits)
    return dataclasses.field(default=default, metadata=metadata)


def free_field(default: Any, help: str, **limits: Any) -> Any:
    """Declares a field that is not numeric: an interval or a path, which may change when a run is resumed."""
    return field(default, help, numeric=False, **limits)


def recipe_field(names: tuple[str, ...], changes: str) -> Any:
    """Declares the field `recipe`, with its names, the default first, and the changes that another one makes."""
    return free_field(names[0], f"Defaults of the other flags. {changes}", choices=names)


def schedule_field(default: str) -> Any:
    """Declares the field `schedule`."""
    return field(default, "Learning-rate schedule. cosine: falls to 0 at the last step.", choices=SCHEDULES)


def ema_field(use: str) -> Any:
    """Declares the field `ema`; `use` describes what is averaged and what the average is used for."""
    return field(0.0, f"{use} with this decay; 0: none.", minimum=0, maximum=0.9999)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The options of every case. A case's config inherits from it and overrides defaults.

    Raises (on construction):
      UsageError: a value that its field's declaration does not accept.
    """

    dataset: str = field("", "Data set to train on.")
    data_dir: str = free_field(
        "data", "Folder of the data sets; missing ones are downloaded to it.", path=path_flags.OTHER
    )
    workdir: str | None = free_field(
        None, "Folder of the run; a run found there is resumed. Default: runs/NAME.", path=path_flags.FOLDER
    )
    export_dir: str = free_field(
        "exports",
        "Folder for the trained model, exported as NAME/VERSION; empty: no export.",
        path=path_flags.FOLDER,
        may_be_empty=True,
    )
    init_from: str | None = field(
        None, "Folder of another run of the case, whose weights this run starts from.", path=path_flags.READ
    )
    publish_as: str | None = free_field(None, PUBLISH_AS_HELP)
    no_warmup: bool = free_field(False, "Leave TF Serving's warm-up requests out of the export.")
    steps: int | None = free_field(None, "Length of the run in steps (instead of --epochs).", minimum=1, maximum=10**9)
    epochs: float | None = free_field(None, "Length of the run in epochs.", above=0, maximum=10**6)
    batch_size: int | None = field(128, "Examples per step, over all replicas.", minimum=1, maximum=2**16)
    seed: int = field(
        0, "Seed of all random draws: initial weights, order, dropout, noise.", minimum=0, maximum=2**63 - 1
    )
    precision: str = field("float32", "Dtype the networks compute in; weights are float32.", choices=PRECISIONS)
    jit: str = field(
        "auto",
        "Compile the step with XLA. auto: only where that was measured to be faster.",
        choices=("auto", "on", "off"),
    )
    strategy: str = free_field(
        "auto",
        "Distribution strategy. auto: mirrored if there are several GPUs.",
        choices=("auto", "single", "mirrored", "multi_worker"),
    )
    log_every: int | None = free_field(
        None,
        "Steps between reports of the training metrics; default: 100, or a twentieth of a shorter run.",
        minimum=1,
        maximum=10**9,
    )
    eval_every: int = free_field(0, "Steps between evaluations; 0: once per epoch.", minimum=0, maximum=10**9)
    checkpoint_every: int = free_field(0, "Steps between checkpoints; 0: once per epoch.", minimum=0, maximum=10**9)
    keep_checkpoints: str = free_field("3", "Number of newest checkpoints to keep, or all.")
    pictures_every: int = free_field(0, "Steps between pictures; 0: at the end only.", minimum=0, maximum=10**9)
    deterministic: bool = free_field(False, "Use deterministic operations only: runs repeat bit by bit.")
    overwrite: bool = free_field(False, "Start over in a workdir that holds another run.")

    # Steps between samples (see `training.Case.samples`); a case that draws samples declares it as a field.
    sample_every = 0

    # The default of `log_every` for all but short runs.
    usual_log_every = 100

    # The learning-rate schedule; a case with an optimizer declares it as a field.
    schedule = "constant"

    # The defaults that a `recipe` changes; flags override them: {recipe: {field name: value}}.
    recipes: typing.ClassVar[dict[str, dict[str, Any]]] = {}

    # The key of the case's class in `cases.REGISTRY`; set by each case's config.
    case = ""

    def __post_init__(self) -> None:
        if not self.case:
            raise TypeError(f"{type(self).__qualname__} must set `case`, the name of its case.")
        for f in dataclasses.fields(self):
            if "help" not in f.metadata:
                raise TypeError(f"{type(self).__qualname__}.{f.name} must be declared with `field` or `free_field`.")
            _check(f, getattr(self, f.name))
        kept = str(self.keep_checkpoints)
        if kept != "all" and not (kept.isdecimal() and len(kept) < 10 and int(kept)):
            raise UsageError(f"--keep_checkpoints is {kept!r}, but must be a number from 1 to 999999999, or all.")

    def unused(self) -> dict[str, str]:
        """Fields without effect, given the values of the others: {field name: why, as in "has no effect with ..."}."""
        found = {}
        if self.dataset in EMBEDDED:
            found["data_dir"] = f"--dataset={self.dataset}, which needs no files"
        if not self.export_dir:
            found |= dict.fromkeys(("publish_as", "no_warmup"), "an empty --export_dir, which means no export")
        return found

    def check_used(self, given: Mapping[str, Any]) -> None:
        """Refuses options that the user gave and that have no effect.

        Raises:
          UsageError: the option, why it has no effect, and that it should be left out.
        """
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        for name, why in self.unused().items():
            if name in given and given[name] not in (None, defaults[name]):
                raise UsageError(f"--{name} is {given[name]!r}, but has no effect with {why}: leave it out.")

    @property
    def checkpoints_kept(self) -> int | None:
        """The number of newest checkpoints to keep; None: all."""
        return None if self.keep_checkpoints == "all" else int(self.keep_checkpoints)

    # The fields whose values are part of the run's name where they differ from their defaults, in this order.
    naming_fields: typing.ClassVar[tuple[str, ...]] = ("model", "dataset", "recipe")

    # Those of them that are always part of the name.
    always_named: typing.ClassVar[tuple[str, ...]] = ()

    @property
    def own_data(self) -> str:
        """The path of the user's own data, whose last part becomes part of the run's name; "" for known data sets."""
        return ""

    @property
    def name(self) -> str:
        """CASE[_MODEL][_DATASET][_RECIPE][_OWN-DATA], such as mnist_mlp_best: what differs from the defaults."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        parts = [self.case]
        for field_name in self.naming_fields:
            value = getattr(self, field_name, None)
            if value is not None and (field_name in self.always_named or value != defaults[field_name]):
                parts.append(_name_part(str(value)))
        if self.own_data:
            parts.append(_name_part(_ARCHIVE.sub("", os.path.basename(os.path.abspath(self.own_data)))))
        return "_".join(dict.fromkeys(filter(None, parts)))

    @property
    def folder(self) -> str:
        """The run's folder: `workdir`, or runs/NAME."""
        return self.workdir or os.path.join("runs", self.name)

    @classmethod
    def recipe_defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults that depend on given fields (a recipe, a model): {field name: value}."""
        return cls.recipes.get(given.get("recipe", ""), {})

    @classmethod
    def resolve(cls: type[C], given: Mapping[str, Any]) -> C:
        """Creates the config from the fields that were given, {field name: value}.

        Raises:
          UsageError: there is no such field, both steps and epochs were given, a value is not accepted, or the user's
            own data are asked for, but not where they are.
        """
        given = _converted(cls, given)
        if given.get("steps") is not None and given.get("epochs") is not None:
            raise UsageError(
                f"--steps={given['steps']} and --epochs={given['epochs']} were both given, but only one of them can be."
            )
        values = {**cls.recipe_defaults(given), **given}
        if given.get("steps") is not None:
            values["epochs"] = None
        made = cls(**values)
        if made.own_data and made.own_data == made.data_dir and "data_dir" not in given:
            raise UsageError(
                f"--data_dir is missing: with --dataset={made.dataset} it must be the folder, or the .zip or .tar, of "
                "your own pictures."
            )
        return made

    @classmethod
    def from_record(cls: type[C], values: Mapping[str, Any]) -> C:
        """Creates the config from the fields in `config.json`.

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
        """Returns the config with `steps`, `batch_size` and `log_every` computed for a number of examples."""
        batch_size = self.batch_size or examples
        steps = self.steps
        if self.epochs is not None:
            steps = max(1, math.ceil(round(self.epochs * examples / batch_size, 6)))
        # The curves of a short run are then more than a dot.
        log_every = self.log_every or min(self.usual_log_every, math.ceil((steps or 1) / 20))
        return dataclasses.replace(self, steps=steps, batch_size=batch_size, log_every=log_every)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(RunConfig):
    """The options that all cases with an optimizer share."""

    learning_rate: float = field(0.001, "Largest learning rate.", above=0)
    schedule: str = schedule_field("constant")
    warmup_steps: int = field(0, "Initial steps, in which the learning rate rises linearly.", minimum=0, maximum=10**9)
    clip_norm: float | None = field(None, "Largest global norm of the gradients; default: no limit.", above=0)

    def with_examples(self, examples: int) -> Any:
        config: Any = super().with_examples(examples)
        if config.warmup_steps >= config.steps:
            raise UsageError(
                f"--warmup_steps is {config.warmup_steps}, but must be less than the run's {config.steps} steps."
            )
        return config


def _name_part(text: str) -> str:
    """A value as a part of a file name: letters, digits, ".", "_" and "-", at most 40."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-._")[:40]


def _converted(config_class, given):
    """The given fields, whose names and types are checked; a path may be a `pathlib.Path`."""
    fields, kinds = {f.name: f for f in dataclasses.fields(config_class)}, field_types(config_class)
    converted = {}
    for name, value in given.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            meant = f"; did you mean {near[0]!r}?" if near else f", only {', '.join(fields)}."
            raise UsageError(f"configs of {config_class.case} have no field {name!r}{meant}")
        wanted: Any = {bool: bool, int: numbers.Integral, float: numbers.Real}.get(kinds[name], object)
        kind = {bool: "True or False", int: "a whole number", float: "a number"}.get(kinds[name], "a path")
        if fields[name].metadata.get("path"):
            wanted = (str, os.PathLike)
        is_wrong_bool = isinstance(value, bool) and kinds[name] in (int, float)
        if value is not None and (is_wrong_bool or not isinstance(value, wanted)):
            raise UsageError(f"--{name} is {value!r}, but must be {kind}.")
        converted[name] = os.fspath(value) if isinstance(value, os.PathLike) else value
    return converted


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
    """Names of the fields whose values differ between two configs of one class and change the results."""
    names = [f.name for f in dataclasses.fields(config) if f.metadata["numeric"]]
    if {config.schedule, other.schedule} != {"constant"}:  # otherwise the total number of steps does not affect a step
        names.append("steps")
    return [n for n in names if getattr(config, n) != getattr(other, n)]
