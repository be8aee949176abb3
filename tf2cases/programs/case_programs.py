"""Shared code of the programs that train, evaluate and export cases."""

import contextlib
import dataclasses
import functools
import hashlib
import importlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import flags

from tf2cases import quiet
from tf2cases.configs import RunConfig, path_flags, record
from tf2cases.data import mnist
from tf2cases.data.pictures import archive
from tf2cases.data.pictures import folder as picture_folder
from tf2cases.errors import UsageError
from tf2cases.programs import config_flags

if TYPE_CHECKING:
    from tf2cases.training import Case

_SAVED_MODEL = "saved_model"


def training_program(
    config_class: type[RunConfig], case_class: "type[Case] | None" = None
) -> tuple[Callable[[flags.FlagValues], None], Callable[[flags.FlagValues], int]]:
    """Returns `define` and `main` of a program that trains a case and exports it; its flags are the config's fields.

    Args:
      config_class: the config of the case.
      case_class: the case; by default the registered one that the config names.
    """

    def define(values: flags.FlagValues) -> None:
        config_flags.define(config_class, values)
        dry_run = "Print what would be done (config, data, sizes, disk, estimated time), and write nothing."
        flags.DEFINE_bool("dry_run", False, dry_run, flag_values=values)

    return define, functools.partial(_train, config_class, case_class)


def _train(config_class: type[RunConfig], case_class: "type[Case] | None", values: flags.FlagValues) -> int:
    given = config_flags.given(config_class, values)
    config = config_class.resolve(given)
    config.check_used(given)
    if config.publish_as:
        check_name(config.publish_as)
    _check_dataset(config, given)
    if config.own_data == config.data_dir:
        path_flags.check("data_dir", config.data_dir, path_flags.READ)
    path_flags.check("workdir", config.folder, path_flags.FOLDER)
    if config.export_dir:
        check_export(config.export_dir, config.folder, config.publish_as)
    quiet.import_tensorflow()
    from tf2cases import cases, training

    case_class = case_class or cases.named(config.case)
    if values.dry_run:
        for line in training.plan(case_class, config):
            print(line, flush=True)
        return 0
    try:
        result = training.train(case_class, config)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("saved checkpoints are kept; run the same command again to resume") from error
    if result.stopped_by:
        return result.exit_status
    exported = ""
    if config.export_dir:
        # Export the saved checkpoint, which has no variables of a distribution strategy.
        case = cases.restore(result.workdir, case_class=case_class)
        with exporting(f"the run is complete; export it with `{_export_command(config, case_class)}`"):
            options = config.export_dir, not config.no_warmup, config.publish_as
            exported = f"; {export_run(case, result.workdir, *options).described('it')}"
    print(f"Done: {result.step:,} step{'s'[: result.step != 1]}; the run is in {result.workdir}{exported}.")
    return 0


def _check_dataset(config: RunConfig, given: Mapping[str, Any]) -> None:
    """Refuses a folder or archive of the user's own pictures as the place of the default data set.

    Otherwise that set would be downloaded to it, or found elsewhere.

    Raises:
      UsageError: --data_dir has pictures and not the set, and --dataset was not given, although it could be "folder".
    """
    (choices,) = (f.metadata["choices"] or () for f in dataclasses.fields(config) if f.name == "dataset")
    if (
        "dataset" in given
        or "data_dir" not in given
        or "folder" not in choices
        or config.dataset not in mnist.CLASS_NAMES
    ):
        return
    place = config.data_dir
    is_archive = os.path.isfile(place) and place.lower().endswith(archive.ENDINGS)
    if is_archive or (picture_folder.walk(place, picture_folder.LeftOut()) and not mnist.is_in(config.dataset, place)):
        raise UsageError(
            f"--data_dir is {place!r}, which has pictures and not the data set {config.dataset}; add --dataset=folder "
            f"to train on these pictures, or --dataset={config.dataset} to have that set downloaded."
        )


@contextlib.contextmanager
def exporting(advice: str) -> Iterator[None]:
    """Within `with`, Ctrl-C ends the program with advice on how to export again."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"nothing was exported; {advice}") from error


def _export_command(config: RunConfig, case_class: "type[Case]") -> str:
    """The command that exports a finished run as training it would have."""
    from tf2cases import cases

    words = ["python -m bin.export", f"--workdir={config.folder}"]
    if cases.REGISTRY.get(config.case) is not case_class:
        words.append(f"--case={case_class.__module__}:{case_class.__qualname__}")
    defaults = {f.name: f.default for f in dataclasses.fields(config)}
    for name in ("export_dir", "publish_as"):
        if (value := getattr(config, name)) != defaults[name]:
            words.append(f"--{name}={value}")
    return " ".join([words[0], *map(shlex.quote, words[1:]), *(["--no_warmup"] if config.no_warmup else [])])


def define_workdir(values: flags.FlagValues) -> None:
    """Defines the flags that select a trained run, one of its checkpoints, and the class of its case."""
    path_flags.define("workdir", None, "Folder of the run, such as runs/mnist_cnn.", path_flags.OTHER, values)
    flags.DEFINE_integer(
        "step", None, "Step of the checkpoint; default: the newest.", upper_bound=10**9, flag_values=values
    )
    flags.DEFINE_string("case", None, "MODULE:CLASS of a run's case that is not registered.", flag_values=values)


def imported_case(name: str) -> "type[Case]":
    """Imports the class that --case names, from the current folder or the Python path.

    Args:
      name: MODULE:CLASS, such as `my_cases.prototypes:Prototypes`.

    Raises:
      UsageError: there is no such module or class, or it is not a `training.Case` with a `Config`.
    """
    module_name, _, class_name = name.partition(":")
    if not re.fullmatch(r"\w+(\.\w+)*:\w+", name):
        raise UsageError(f"--case is {name!r}, but must be MODULE:CLASS, such as my_cases.prototypes:Prototypes.")
    quiet.import_tensorflow()
    from tf2cases import training

    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module exists, and imports another one that does not
        raise UsageError(f"--case is {name!r}, but there is no module {error.name}.") from error
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, training.Case) and hasattr(found, "Config")):
        raise UsageError(
            f"--case is {name!r}, but {class_name} must be a training.Case with a Config in {module_name}."
        )
    return found


def restore(values: flags.FlagValues) -> "Case":
    """Restores the trained case that --workdir, --step and --case select.

    Raises:
      UsageError: see `cases.restore` and `imported_case`.
    """
    record.read_record(values.workdir)  # reports a mistyped path before TensorFlow is imported
    return restored(values.workdir, values.step, imported_case(values.case) if values.case else None)


def restored(workdir: str, step: int | None = None, case_class: "type[Case] | None" = None) -> "Case":
    """Imports TensorFlow and restores a trained case, see `cases.restore`."""
    quiet.import_tensorflow()
    from tf2cases import cases

    return cases.restore(workdir, step, case_class)


def define_data_dir(values: flags.FlagValues) -> None:
    """Defines --data_dir for a program that works on a trained run."""
    path_flags.define("data_dir", None, "Folder of the data set; default: as in training.", path_flags.OTHER, values)


def define_export(values: flags.FlagValues, export_dir_help: str) -> None:
    """Defines the flags of a program that exports a model."""
    path_flags.define("export_dir", "exports", export_dir_help, path_flags.FOLDER, values)
    flags.DEFINE_bool("no_warmup", False, "Leave TF Serving's warm-up requests out.", flag_values=values)


def define_format(values: flags.FlagValues) -> None:
    """Defines --format of a program that exports models."""
    help_text = (
        "Write the default signature for another runtime as well: EXPORT_DIR/NAME/NAME-VERSION.onnx (needs tf2onnx) or "
        ".tflite (LiteRT)."
    )
    flags.DEFINE_enum("format", _SAVED_MODEL, [_SAVED_MODEL, "onnx", "litert"], help_text, flag_values=values)


def check_format(values: flags.FlagValues) -> None:
    """Checks --format, without importing TensorFlow.

    Raises:
      UsageError: its converter is missing.
    """
    from tf2cases.serving import convert

    if values.format != _SAVED_MODEL:
        convert.check_available(values.format)


def converted(values: flags.FlagValues, path: str) -> str:
    """Converts a version of an export to --format; returns words that say where the file is, "" if there is none.

    Raises:
      RunError: see `convert.convert`.
    """
    if values.format == _SAVED_MODEL:
        return ""
    from tf2cases.serving import convert

    return f" and {convert.convert(path, values.format)}"


def check_export(export_dir: str, workdir: str, publish_as: str | None) -> None:
    """Checks whether `export_run` can write to its folder, and would not supersede another run's model by accident.

    Raises:
      UsageError: it cannot, see `path_flags.check`, or would.
    """
    from tf2cases.serving import card, directories

    name = publish_as or os.path.basename(os.path.abspath(workdir))
    folder = os.path.join(export_dir, name)
    path_flags.check("export_dir", folder, path_flags.FOLDER)
    newest = None if publish_as else directories.newest_version(folder)
    if newest and (card.read(newest) or {}).get("place") != _place(workdir):
        raise UsageError(
            f"--workdir is {workdir!r}, but {newest} was not exported from there; give the run's folder another name, "
            f"or use --publish_as={name} to supersede it."
        )


def _place(workdir: str) -> str:
    """Tells folders of equal names apart in model cards, without telling where they are."""
    return hashlib.sha256(os.fsencode(os.path.realpath(workdir))).hexdigest()[:16]


class Exported(NamedTuple):
    """The directory of a version, and whether it was written now: it is not if it was there already."""

    path: str
    is_new: bool

    def described(self, what: str) -> str:
        """A clause that says where `what` is exported."""
        if self.is_new:
            return f"{what} is exported to {self.path}"
        return f"{what} is exported to {self.path} already, so no further version is written"


def export_run(
    case: "Case", workdir: str, export_dir: str, warmup: bool = True, publish_as: str | None = None
) -> Exported:
    """Exports the case of a run as EXPORT_DIR/NAME/VERSION, where NAME is the name of its workdir.

    Args:
      case: from `restore`.
      workdir: the run's folder.
      export_dir, warmup: values of the flags.
      publish_as: another NAME, or None. The metrics of the version that is superseded there are printed.

    Returns:
      `Exported`; an existing version if it is the same model.

    Raises:
      UsageError: `publish_as` is not a plain name, or see `check_export`.
      RunError: see `export.export`.
    """
    check_export(export_dir, workdir, publish_as)
    from tf2cases.serving import card, export
    from tf2cases.training import workdir as workdirs

    run_name, step = os.path.basename(os.path.abspath(workdir)), int(case.step)
    record = workdirs.read_record(workdir)
    reports = [r["values"] for r in workdirs.read_metrics(workdir) if r["split"] == "eval" and r["step"] == step]
    facts = {
        "run": run_name,
        "place": _place(workdir),
        "identity": f"{record['run']} {step}",
        "step": step,
        "metrics": reports[-1] if reports else {},
        "config": record["config"],
    }
    directory = os.path.join(export_dir, check_name(publish_as) if publish_as else run_name)
    before = export.newest_version(directory)
    path = export.export_case(case, directory, facts=facts, warmup=warmup)
    if before and os.path.samefile(before, path):
        return Exported(path, False)
    if publish_as and before:
        print(f"{path} supersedes {before}:")
        for place in (before, path):
            print(f"  {place}: {_described(card.read(place))}")
    return Exported(path, True)


def check_name(name: str) -> str:
    """The value of --publish_as.

    Raises:
      UsageError: it is not a name.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(f"--publish_as is {name!r}, but must be a name of letters, digits, '_', '-' and '.'.")
    return name


def _described(facts: dict | None) -> str:
    """Run, step and metrics of an export, from its card."""
    if not facts or "run" not in facts:
        return "no model card"
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in facts["metrics"].items()) or "not evaluated"
    return f"run {facts['run']}, step {facts['step']:,}, {metrics}"
