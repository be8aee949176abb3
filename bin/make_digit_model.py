"""Writes the digit model of the playground anew: the weights of an export, with the signatures of today's code.

python -m bin.make_digit_model                            # after a change of the signatures or of how digits are found
python -m bin.make_digit_model --model=exports/digits     # after a training
"""

import json
import os
import shutil
import sys
from typing import Any

from absl import flags

from tf2cases import quiet
from tf2cases.configs import path_flags
from tf2cases.errors import UsageError
from tf2cases.programs import program
from tf2cases.serving import card, directories

_PLACE = "tf2cases/playground/models/digits"
_LONGEST_EXAMPLE = 1000  # characters


def define(values: flags.FlagValues) -> None:
    path_flags.define("model", _PLACE, "Export whose weights are taken.", path_flags.OTHER, values)
    path_flags.define("out", _PLACE, "Folder of the model; its version 1 is replaced.", path_flags.FOLDER, values)


def main(values: flags.FlagValues) -> None:
    source = directories.version_directory(values.model)
    facts = card.read(source)
    if facts is None or facts.get("case") != "mnist":
        raise UsageError(f"--model is {values.model!r}, but must be an export of the case mnist.")
    quiet.import_tensorflow()
    import tensorflow as tf

    from tf2cases.cases import MNIST
    from tf2cases.serving import export

    # Neither the paths nor the run are of interest to others.
    config = MNIST.Config(**{**facts["config"], "data_dir": None, "workdir": None, "export_dir": "exports"})
    names = [str(i) for i in range(10)]
    case = MNIST(config, {"image_shape": [28, 28, 1], "class_names": names})
    found = {variable.name: variable for variable in tf.saved_model.load(source).served_variables}
    for variable in case.network.trainable_variables:
        variable.assign(found[variable.name])
    fresh = f"{values.out}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    kept: dict[str, Any] = {key: facts[key] for key in ("step", "metrics")}
    written = export.export_case(case, fresh, facts=kept)
    _shorten(os.path.join(written, card.PATH))
    shutil.rmtree(os.path.join(values.out, "1"), ignore_errors=True)
    os.makedirs(values.out, exist_ok=True)
    os.rename(written, os.path.join(values.out, "1"))
    shutil.rmtree(fresh)
    print(f"{values.out}/1 has the weights of {source}, {facts['metrics']['accuracy']:.2%} of the test digits right.")


def _shorten(path: str) -> None:
    """Leaves long examples out of a card."""
    with open(path) as file:
        facts = json.load(file)
    facts["examples"] = {k: v for k, v in facts["examples"].items() if len(json.dumps(v)) <= _LONGEST_EXAMPLE}
    with open(path, "w") as file:
        json.dump(facts, file, indent=1)


if __name__ == "__main__":
    program.run(sys.modules[__name__])
