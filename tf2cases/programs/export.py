"""Exports a trained case as a SavedModel for TF Serving, checked in a fresh process: EXPORT_DIR/NAME/VERSION.

python -m bin.export --workdir=runs/mnist_cnn --export_dir=exports
"""

from absl import flags

from tf2cases.programs import case_programs

REQUIRED = ("workdir",)


def define(values: flags.FlagValues) -> None:
    case_programs.define_workdir(values)
    case_programs.define_export(values, "Folder for exports; the next free version is used.")


def main(values: flags.FlagValues) -> None:
    case = case_programs.restore(values)
    path = case_programs.export_case(case, values.export_dir, warmup=not values.no_warmup)
    print(f"Done: {case.config.name} at step {int(case.step):,} is exported to {path}.")
