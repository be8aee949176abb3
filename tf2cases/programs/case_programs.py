"""Shared code of the programs that train, evaluate and export cases."""

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from absl import flags

from tf2cases import quiet
from tf2cases.configs import RunConfig
from tf2cases.programs import config_flags

if TYPE_CHECKING:
    from tf2cases.training import Case


def training_program(
    config_class: type[RunConfig],
) -> tuple[Callable[[flags.FlagValues], None], Callable[[flags.FlagValues], int]]:
    """Returns `define` and `main` of a program that trains a case and exports it; its flags are the config's fields.

    Args:
      config_class: the config of a case in `cases.REGISTRY`.
    """
    return functools.partial(config_flags.define, config_class), functools.partial(_train, config_class)


def _train(config_class: type[RunConfig], values: flags.FlagValues) -> int:
    config = config_class.resolve(config_flags.given(config_class, values))
    quiet.import_tensorflow()
    from tf2cases import cases, training

    try:
        result = training.train(cases.REGISTRY[config.case], config)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("saved checkpoints are kept; run the same command again to resume") from error
    if result.stopped_by:
        return result.exit_status
    exported = ""
    if config.export_dir:
        # Export the saved checkpoint, which has no variables of a distribution strategy.
        case = cases.restore(result.workdir)
        try:
            exported = f", the export in {export_case(case, config.export_dir, not config.no_warmup)}"
        except KeyboardInterrupt as error:
            again = f"python -m bin.export --workdir={result.workdir}"
            raise KeyboardInterrupt(f"the run is complete; export it with `{again}`") from error
    print(f"Done: {result.step:,} steps; the run is in {result.workdir}{exported}.")
    return 0


def define_workdir(values: flags.FlagValues) -> None:
    """Defines the flags that select a trained run and one of its checkpoints."""
    flags.DEFINE_string("workdir", None, "Folder of the run, such as runs/mnist_cnn.", flag_values=values)
    flags.DEFINE_integer("step", None, "Step of the checkpoint; default: the newest.", flag_values=values)


def restore(values: flags.FlagValues) -> "Case":
    """Restores the trained case that --workdir and --step select.

    Raises:
      UsageError: see `cases.restore`.
    """
    quiet.import_tensorflow()
    from tf2cases import cases

    return cases.restore(values.workdir, values.step)


def define_data_dir(values: flags.FlagValues) -> None:
    """Defines --data_dir for a program that works on a trained run."""
    flags.DEFINE_string("data_dir", None, "Folder of the data set; default: as in training.", flag_values=values)


def define_export(values: flags.FlagValues, export_dir_help: str) -> None:
    """Defines the flags of a program that exports a model."""
    flags.DEFINE_string("export_dir", "exports", export_dir_help, flag_values=values)
    flags.DEFINE_bool("no_warmup", False, "Leave TF Serving's warm-up requests out.", flag_values=values)


def export_case(case: "Case", export_dir: str, warmup: bool) -> str:
    """Exports a case as EXPORT_DIR/NAME/VERSION; returns that path.

    Raises:
      RunError: see `export.export`.
    """
    import tensorflow as tf

    from tf2cases.serving import export

    directory = os.path.join(export_dir, case.config.name)
    # The export is checked on the CPU; a GPU's results may differ, since TF32 has a mantissa of only ten bits.
    tolerance = 1e-2 if tf.config.list_physical_devices("GPU") else case.export_tolerance
    return export.export(case.signatures(), case.requests(), directory, warmup=warmup, tolerance=tolerance)
