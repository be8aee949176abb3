"""Exports a trained case as a SavedModel for TF Serving, checked in a fresh process: EXPORT_DIR/NAME/VERSION.

python -m bin.export --workdir=runs/mnist_cnn --export_dir=exports
"""

from absl import flags

from tf2cases.configs.run import PUBLISH_AS_HELP
from tf2cases.programs import case_programs

REQUIRED = ("workdir",)


def define(values: flags.FlagValues) -> None:
    case_programs.define_workdir(values)
    case_programs.define_export(values, "Folder for exports; the next free version is used.")
    flags.DEFINE_string("publish_as", None, PUBLISH_AS_HELP, flag_values=values)


def main(values: flags.FlagValues) -> None:
    if values.publish_as:
        case_programs.check_name(values.publish_as)
    case_programs.check_export(values.export_dir, values.workdir, values.publish_as)
    case = case_programs.restore(values)
    with case_programs.exporting("run the same command again"):
        exported = case_programs.export_run(
            case, values.workdir, values.export_dir, not values.no_warmup, values.publish_as
        )
    print(f"Done: {exported.described(f'{values.workdir} at step {int(case.step):,}')}.")
