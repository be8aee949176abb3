"""Machine-learning cases in pure low-level TensorFlow 2: training, evaluation, export and use; and word clouds."""

import os
import sys

from tf2cases import quiet

if os.path.basename(sys.argv[0]) == "tf2cases":  # before the imports below, which take most of the time until `main`
    quiet.guard_start()

import pkgutil

from tf2cases import programs

# Modules beside the programs that are not programs.
_SHARED = {
    *("case_programs", "command", "config_flags", "exports", "given_pictures", "inception_programs", "program"),
    "server_configs",
}

PARTS = {
    module.name: f"{programs.__name__}.{module.name}"
    for module in pkgutil.iter_modules(programs.__path__)
    if module.name not in _SHARED
}


def main() -> None:
    """The console command `tf2cases`: runs the program that the first argument names, or lists all."""
    quiet.guard_start()
    from tf2cases.programs import program

    program.run(sys.modules[__name__], ["", *sys.argv[1:]])
