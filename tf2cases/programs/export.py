"""Exports a trained case as a SavedModel for TF Serving, checked in a fresh process: EXPORT_DIR/NAME/VERSION.

    python -m bin.export --workdir=runs/mnist_cnn --export_dir=exports
    python -m bin.export --all --export_dir=exports --print_commands

--all exports every run in --workdir (default: runs). Runs that are unfinished or cannot be exported are named, and
make the exit status 1; models that are exported already are not exported again. It also writes three files into
EXPORT_DIR, which tensorflow_model_server and bin.serve take: models.config lists all models there, whoever exported
them; monitoring.config; and batching.config, whose settings count for models without a batching_params.pbtxt. The
paths in models.config are absolute: write the file again if the folder has been moved.

--format=onnx and --format=litert write the default signature, which takes tensors, to EXPORT_DIR/NAME/NAME-VERSION.onnx
or .tflite, in addition to the SavedModel. Servers ignore these files.

--print_commands prints the command that serves the models in a container, and curl commands that ask them, with
examples from their model cards.
"""

import os
import sys
import traceback
from typing import TYPE_CHECKING

from absl import flags

from tf2cases.configs import record
from tf2cases.configs.run import PUBLISH_AS_HELP
from tf2cases.errors import UsageError
from tf2cases.programs import case_programs, server_configs

if TYPE_CHECKING:
    from tf2cases.training import Case

_RUNS = "runs"


def define(values: flags.FlagValues) -> None:
    case_programs.define_workdir(values)
    case_programs.define_export(values, "Folder for exports; the next free version is used.")
    flags.DEFINE_string("publish_as", None, PUBLISH_AS_HELP, flag_values=values)
    help_text = f"Export every run in the folder --workdir (default: {_RUNS}), and write the configuration of a server."
    flags.DEFINE_bool("all", False, help_text, flag_values=values)
    help_text = "Print commands that serve the exported models and ask them."
    flags.DEFINE_bool("print_commands", False, help_text, flag_values=values)
    case_programs.define_format(values)


def main(values: flags.FlagValues) -> int:
    case_programs.check_format(values)
    if values.all:
        return _export_all(values)
    if values.workdir is None:
        raise UsageError("--workdir is missing: it must be the folder of a run, or --all must be given.")
    if values.publish_as:
        case_programs.check_name(values.publish_as)
    case_programs.check_export(values.export_dir, values.workdir, values.publish_as)
    case = case_programs.restore(values)
    with case_programs.exporting("run the same command again"):
        exported = case_programs.export_run(
            case, values.workdir, values.export_dir, not values.no_warmup, values.publish_as
        )
        converted = case_programs.converted(values, exported.path)
    print(f"Done: {exported.described(f'{values.workdir} at step {int(case.step):,}')}{converted}.")
    if values.print_commands:
        name = os.path.basename(os.path.dirname(exported.path))
        for line in server_configs.commands(values.export_dir, [name], with_configs=False):
            print(line)
    return 0


def _export_all(values: flags.FlagValues) -> int:
    for name in ("publish_as", "step"):
        if values[name].value is not None:
            raise UsageError(f"--{name} is {values[name].value!r}, but must be given without --all, for a single run.")
    runs = _runs(values)
    case_class = case_programs.imported_case(values.case) if values.case else None
    exported = [run for run in runs if _exported(values, run, case_class)]
    names, problems = server_configs.models(values.export_dir)
    for problem in problems:
        print(f"export: {problem}", file=sys.stderr)
    server_configs.write(values.export_dir, names)
    config = os.path.join(values.export_dir, server_configs.MODELS)
    print(
        f"Done: {len(exported)} of {len(runs)} runs {'is' if len(exported) == 1 else 'are'} exported; {config} lists "
        f"{len(names)} model{'s'[: len(names) != 1]}."
    )
    if values.print_commands:
        for line in server_configs.commands(values.export_dir, names, with_configs=True):
            print(line)
    return 0 if len(exported) == len(runs) and not problems else 1


def _runs(values: flags.FlagValues) -> list[str]:
    """The folders of the runs in --workdir, sorted; none if it is not given and --export_dir has models.

    Raises:
      UsageError: there are none.
    """
    folder = _RUNS if values.workdir is None else values.workdir
    if os.path.exists(os.path.join(folder, record.CONFIG)):
        raise UsageError(f"--workdir is {folder!r}, but with --all it must be a folder of runs, not a run.")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    runs = [os.path.join(folder, name) for name in names]
    runs = [run for run in runs if os.path.exists(os.path.join(run, record.CONFIG))]
    if not runs and (values.workdir is not None or not server_configs.models(values.export_dir)[0]):
        raise UsageError(f"--workdir is {folder!r}, but there is no run in it; with --all it must be a folder of runs.")
    return runs


def _exported(values: flags.FlagValues, run: str, case_class: "type[Case] | None") -> bool:
    """Exports a run; if that fails, says why and returns False.

    Args:
      values: the flags.
      run: the run's folder.
      case_class: the class of runs of a case that is not registered, or None.
    """
    try:
        own = case_class is not None and case_class.Config.case == record.read_record(run)["case"]
        case_programs.check_export(values.export_dir, run, None)
        case = case_programs.restored(run, None, case_class if own else None)
        step, steps = int(case.step), case.config.steps
        if step < steps:
            raise UsageError(
                f"--workdir is {run!r}, but its run is unfinished (step {step:,} of {steps:,}): resume it, or export "
                "it as it is without --all."
            )
        exported = case_programs.export_run(case, run, values.export_dir, not values.no_warmup)
        converted = case_programs.converted(values, exported.path)
    except Exception as error:  # a damaged run may raise anything
        if values["debug"].value:
            traceback.print_exc()
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"export: {run} is not exported: {reason}", file=sys.stderr)
        return False
    print(f"{exported.described(f'{run} at step {step:,}')}{converted}.", flush=True)
    return True
