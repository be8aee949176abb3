"""Trains a case of your own, evaluates it, and exports it.

python -m bin.train --case=my_cases.prototypes:Prototypes --dataset=mnist_sample
python -m bin.train --case=my_cases.prototypes:Prototypes --help

--case names a subclass of tf2cases.training.Case, in a module of the current folder or of the Python path. The other
flags are the fields of its Config. See docs/write_a_case.md.
"""

import sys
import types

from absl import flags

from tf2cases.errors import UsageError
from tf2cases.programs import case_programs, program


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("case", None, "MODULE:CLASS of the case.", flag_values=values)


def main(values: flags.FlagValues) -> int:
    """Never called: `select` returns this program only to show its help or the version."""
    raise AssertionError(values.case)


def select(argv: list[str]) -> tuple[types.ModuleType, list[str]]:
    """The program that trains the class named by --case, and its command line; this program to show help or version.

    Raises:
      UsageError: --case is missing, or see `case_programs.imported_case`.
    """
    case, rest = _extracted(argv)
    if case is None and any(program.asks_for_help(word) or word == "--version" for word in argv[1:]):
        return sys.modules[__name__], argv
    if case is None:
        raise UsageError("--case is missing: MODULE:CLASS of the case, such as my_cases.prototypes:Prototypes.")
    case_class = case_programs.imported_case(case)
    trainer = types.ModuleType(__name__, case_class.__doc__)
    define, main = case_programs.training_program(case_class.Config, case_class)
    vars(trainer).update(define=define, main=main)
    return trainer, rest


def _extracted(argv: list[str]) -> tuple[str | None, list[str]]:
    """The value of --case, None without it, and the command line without it if it has a value."""
    for i, word in enumerate(argv):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name == "case":
            if equals:
                return value, argv[:i] + argv[i + 1 :]
            if i + 1 < len(argv):
                return argv[i + 1], argv[:i] + argv[i + 2 :]
    return None, argv
