"""What the programs share that train, evaluate and export cases."""

import os

from tf2cases.programs import quiet as _quiet  # isort: skip  # noqa: F401  (before TensorFlow)

import tensorflow as tf
from absl import flags

from tf2cases import cases, training
from tf2cases.programs import common, config_flags
from tf2cases.serving import export


def train(case_class, doc, argv=None):
    """Runs the program that trains a case: its config's fields are the flags, and the export comes last."""

    def define(values):
        config_flags.define(case_class.Config, values)

    def main(values):
        config = case_class.Config.resolve(config_flags.given(case_class.Config, values))
        try:
            result = training.train(case_class, config)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt("what was saved is kept, and the same command goes on from there") from error
        if result.stopped_by:
            return result.exit_status
        exported = ""
        if config.export_dir:
            # What is exported is what was saved, without the variables of a distribution strategy.
            case = cases.restore(result.workdir)
            try:
                exported = f", the export is {export_case(case, config.export_dir, not config.no_warmup)}"
            except KeyboardInterrupt as error:
                again = f"python -m bin.export --workdir={result.workdir}"
                raise KeyboardInterrupt(f"the run is complete, and `{again}` makes its export") from error
        print(f"Done: {result.step:,} steps; the run is in {result.workdir}{exported}.")
        return 0

    common.run(doc, define, main, argv)


def define_workdir(values):
    """Defines the flags of a program that works on a trained run: which folder, which checkpoint."""
    flags.DEFINE_string("workdir", None, "Folder of the run, such as runs/mnist_cnn.", flag_values=values)
    flags.DEFINE_integer("step", None, "Step of the checkpoint; default: the newest.", flag_values=values)


def export_case(case, export_dir, warmup):
    """Exports a case as EXPORT_DIR/NAME/VERSION; returns that path."""
    directory = os.path.join(export_dir, case.config.name)
    # The export is checked on the CPU; a GPU's own arithmetic may differ by TF32's ten bits of mantissa.
    tolerance = 1e-2 if tf.config.list_physical_devices("GPU") else case.export_tolerance
    return export.export(case.signatures(), case.requests(), directory, warmup=warmup, tolerance=tolerance)
