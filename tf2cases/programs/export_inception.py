"""Exports Inception-v3 with trained weights as a SavedModel for TF Serving, checked in a fresh process.

python -m bin.export_inception --weights=keras --export_dir=exports
"""

import os

from absl import flags

from tf2cases.configs import path_flags
from tf2cases.programs import case_programs, inception_programs

_DATA = {
    "dataset": "ImageNet",
    "terms": "ImageNet, for non-commercial research and education; or those of the weights that you gave",
}


def define(values: flags.FlagValues) -> None:
    inception_programs.define_weights(values)
    flags.DEFINE_integer(
        "top_k", 5, "Number of classes in an answer.", lower_bound=1, upper_bound=100_000, flag_values=values
    )
    case_programs.define_export(values, "Folder for exports; the next free version of EXPORT_DIR/inception_v3 is used.")
    case_programs.define_format(values)


def main(values: flags.FlagValues) -> None:
    directory = os.path.join(values.export_dir, "inception_v3")
    case_programs.check_format(values)
    path_flags.check("export_dir", directory, path_flags.FOLDER)
    model = inception_programs.load_model(values)
    from tf2cases.serving import export

    # Folded kernels are larger than trained ones, and the order of summing thousands of terms varies with the batch.
    settings = {"preprocessing": str(model.preprocessing), "classes": model.class_names, "top_k": model.top_k}
    facts = {
        "case": "inception_v3",
        "weights": values.weights,
        "data": _DATA,
        "identity": export.identity(settings, model.variables),
    }
    before = export.newest_version(directory)
    with case_programs.exporting("run the same command again"):
        path = export.export(
            model.signatures(), model.requests(), directory, facts=facts, warmup=not values.no_warmup, tolerance=1e-4
        )
        converted = case_programs.converted(values, path)
    what = f"Inception-v3 with the weights {values.weights}"
    print(f"Done: {case_programs.Exported(path, path != before).described(what)}{converted}.")
