"""How every program runs: its flags, its help, its exit status and the one sentence that reports an error.

A program is a module. Its docstring is its help; `define(values)` defines its flags in an `absl.flags.FlagValues`;
`main(values)` does the work once they are parsed, and returns the exit status or None for 0. A program with positional
arguments sets `POSITIONAL` to what the help calls them, and its `main` takes the list of them as second argument. A
program that consists of parts has neither: `PARTS` maps names to programs, and the first argument selects one.

TensorFlow is imported inside `main`, so that `--help` and mistakes in flags are answered at once.
"""

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import NoReturn

from absl import app, flags, logging

from tf2cases.errors import RunError, UsageError


def run(program: ModuleType, argv: Sequence[str] | None = None) -> None:
    """Parses a command line, runs the program's `main` and exits.

    Exit status 0; 2 with one sentence on standard error for bad arguments or input (`UsageError`, absl's flag errors,
    stray arguments); 1 with one sentence for what failed while running (`RunError`, a full disk); 130 after Ctrl-C.
    With `--debug` the traceback comes first.

    Args:
      program: the program's module, see above.
      argv: the command line with the program's name first; `sys.argv` by default.
    """
    argv = list(sys.argv if argv is None else argv)
    name = os.path.splitext(os.path.basename(argv[0]))[0]
    logging.set_verbosity(logging.WARNING)
    try:
        if parts := getattr(program, "PARTS", None):
            part = _selected(name, program, parts, argv[1:2])
            name, program, argv = f"{name} {part}", parts[part], argv[1:]
        _run(name, program, argv)
    except BrokenPipeError:  # whoever read the output has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def required(values: flags.FlagValues, name: str) -> str:
    """The value of a flag that has no default.

    Raises:
      UsageError: it was not given.
    """
    value = values[name].value
    if value is None:
        raise UsageError(f"--{name} is missing: {values[name].help}")
    return value


def _run(name: str, program: ModuleType, argv: list[str]) -> None:
    values = flags.FlagValues()
    program.define(values)
    flags.DEFINE_bool("debug", False, "Show the traceback of an error.", flag_values=values)
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)
    positional = getattr(program, "POSITIONAL", None)

    def parse(arguments: list[str]) -> list[str]:
        try:
            rest = values(arguments)[1:]
            if values.help:
                print(_usage(name, program, positional, values), flush=True)
                sys.exit(0)
            if rest and not positional:
                raise UsageError(f"unexpected argument {rest[0]!r}: only flags like --name=value are accepted.")
        except (flags.Error, UsageError) as error:
            _fail(name, error, 2)
        flags.FLAGS.mark_as_parsed()  # app.run insists; the flags live in `values`
        return rest

    def body(rest: list[str]) -> int | None:
        try:
            return program.main(values, rest) if positional else program.main(values)
        except UsageError as error:
            _fail(name, error, 2, values.debug)
        except (RunError, OSError) as error:
            _fail(name, error, 1, values.debug)
        except KeyboardInterrupt as error:
            what = str(error) or "what was complete is kept"
            _fail(name, f"interrupted; {what}.", 130, values.debug)

    app.run(body, argv=argv, flags_parser=parse)


def _selected(name: str, program: ModuleType, parts: Mapping[str, ModuleType], arguments: list[str]) -> str:
    """The part that the first argument names; lists the parts and exits where there is none, or a call for help."""
    if not arguments or arguments[0].lstrip("-") in ("help", "h"):
        width = max(map(len, parts))
        lines = [_summary(part, module, width) for part, module in parts.items()]
        usage = f"usage: python -m bin.{name} NAME [flags]"
        print("\n".join([_doc(program), "", usage, "", *lines]), flush=True)
        sys.exit(0)
    if arguments[0] not in parts:
        _fail(name, f"the first argument is {arguments[0]!r}, but must be one of {', '.join(parts)}.", 2)
    return arguments[0]


def _summary(part: str, module: ModuleType, width: int) -> str:
    return f"  {part:{width}}  {_doc(module).splitlines()[0]}"


def _usage(name: str, program: ModuleType, positional: str | None, values: flags.FlagValues) -> str:
    lines = [_doc(program), "", f"usage: python -m bin.{name} [flags] {positional or ''}".rstrip(), ""]
    lines += [f"  --{flag}: {values[flag].help}" for flag in sorted(values) if len(flag) > 1]
    return "\n".join(lines)


def _doc(program: ModuleType) -> str:
    return (program.__doc__ or "").strip()


def _fail(name: str, error: Exception | KeyboardInterrupt | str, status: int, debug: bool = False) -> NoReturn:
    if debug and isinstance(error, BaseException):
        traceback.print_exception(error)
    sys.stdout.flush()
    print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(status)
