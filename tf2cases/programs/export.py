"""Exports a trained case as a SavedModel for TF Serving, checked in a fresh process: EXPORT_DIR/NAME/VERSION.

python -m bin.export --workdir=runs/mnist_cnn --export_dir=exports
"""

from absl import flags

from tf2cases import cases
from tf2cases.programs import case_programs, common


def define(values):
    case_programs.define_workdir(values)
    flags.DEFINE_string("export_dir", "exports", "Where to; the next free version is taken.", flag_values=values)
    flags.DEFINE_bool("no_warmup", False, "Leave the warm-up requests out.", flag_values=values)


def main(values):
    case = cases.restore(common.required(values, "workdir"), values["step"].value)
    path = case_programs.export_case(case, values["export_dir"].value, warmup=not values["no_warmup"].value)
    print(f"Done: {case.config.name} at step {int(case.step):,} is exported to {path}.")
