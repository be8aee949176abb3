"""Runs any of the programs: its flags, its help, its exit status and the one sentence that reports an error.

A program is a module. Its docstring is its help; `define(values)` defines its flags in an `absl.flags.FlagValues`;
`main(values)` does the work once they are parsed, and returns the exit status or None for 0. `REQUIRED` names the flags
that must be given. A program with positional arguments, which are paths, sets `POSITIONAL` to their name in the help,
and its `main` takes the list of them as its second argument. A program that consists of parts has none of these:
`PARTS` maps names to programs, and the first argument selects one. A part can be given by its module's dotted name; it
is then imported only if it is selected. Where the flags depend on the command line, `select(argv)` returns the program
to run and its command line.

Flags that are paths are defined with `path_flags.define` and checked before `main` runs.

TensorFlow is imported inside `main`, so that `--help` and flag errors do not wait for it.
"""

import ast
import difflib
import importlib
import importlib.util
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType, ModuleType
from typing import NoReturn

from absl import flags, logging

from tf2cases import __version__, files, quiet
from tf2cases.configs import path_flags
from tf2cases.errors import RunError, UsageError

_VERSION = f"tf2cases {__version__}"
_UNWINDING = (signal.SIGTERM, signal.SIGHUP)
_CALLS_FOR_HELP = ("help", "helpshort", "helpfull")  # absl's three


def run(program: ModuleType, argv: Sequence[str] | None = None) -> None:
    """Parses a command line, runs the program's `main` and exits.

    The exit status is 0 for success; 2, with one sentence on standard error, for bad arguments or input (`UsageError`,
    absl's flag errors, stray arguments); 1, with one sentence, for failures while running (`RunError`, a full disk);
    and 130 after Ctrl-C. With `--debug` the traceback is printed first.

    Args:
      program: the program's module, see above.
      argv: the command line with the program's name first, "" if it has none; `sys.argv` by default.
    """
    words = list(sys.argv if argv is None else argv)
    name = os.path.splitext(os.path.basename(words[0]))[0]
    logging.set_verbosity(logging.WARNING)
    for stream in sys.stdout, sys.stderr:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names of files may contain any bytes
    try:
        while hasattr(program, "PARTS"):
            part = _selected(name, program, words[1:2])
            name, program, words = f"{name} {part}".strip(), _imported(program.PARTS[part]), words[1:]
        if hasattr(program, "select"):
            try:
                program, words = program.select(words)
            except UsageError as error:
                _fail(name, error, 2, "--debug" in words)
        _run(name, program, words)
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        _fail(name, "interrupted; nothing has been done yet.", 130)


def asks_for_help(word: str) -> bool:
    """Whether a word of a command line asks for help."""
    return word.lstrip("-") in (*_CALLS_FOR_HELP, "h")


def _run(name: str, program: ModuleType, argv: list[str]) -> NoReturn:
    values = flags.FlagValues()
    program.define(values)
    flags.DEFINE_bool("debug", False, "Show the traceback of an error.", flag_values=values)
    for call in _CALLS_FOR_HELP:
        short_name = "h" if call == "help" else None
        flags.DEFINE_bool(call, False, "Show this help.", short_name=short_name, flag_values=values)
    flags.DEFINE_bool("version", False, "Show the version of tf2cases.", flag_values=values)
    positional = getattr(program, "POSITIONAL", None)
    received: list[int] = []
    try:
        quiet.end_guard()
        _unwind_on_signals(received)
        rest = _parsed(values, argv)[1:]
        if any(values[call].value for call in _CALLS_FOR_HELP):
            print(_usage(name, program, positional, values), flush=True)
            sys.exit(0)
        if values.version:
            print(_VERSION, flush=True)
            sys.exit(0)
        if rest and not positional:
            meant = _meant(program, values, rest[0])
            hint = f"; did you mean {meant}?" if meant else "."
            raise UsageError(f"unexpected argument {rest[0]!r}: only flags like --name=value are accepted{hint}")
        for flag in getattr(program, "REQUIRED", ()):
            if values[flag].value is None:
                raise UsageError(f"--{flag} is missing: {values[flag].help}")
        path_flags.check_all(values)
        sys.exit(program.main(values, path_flags.positional(rest)) if positional else program.main(values))
    except BrokenPipeError:
        raise
    except (flags.Error, UsageError) as error:
        _fail(name, error, 2, bool(values["debug"].value))
    except RunError as error:
        _fail(name, error, 1, bool(values["debug"].value))
    except (OSError, MemoryError) as error:
        _fail(name, files.failure(error), 1, bool(values["debug"].value))
    except KeyboardInterrupt as error:
        number = received[0] if received else signal.SIGINT
        by = f" by {signal.Signals(number).name}" if received else ""
        why = f"interrupted{by}; {str(error) or 'finished output is kept'}."
        _fail(name, why, 128 + number, bool(values["debug"].value))
    finally:
        for number in _UNWINDING:
            if signal.getsignal(number) not in (signal.SIG_IGN, signal.SIG_DFL):
                signal.signal(number, signal.SIG_DFL)


def _unwind_on_signals(received: list[int]) -> None:
    """Lets SIGTERM and SIGHUP end the program as Ctrl-C does, so that it removes what is unfinished.

    Args:
      received: the signal's number is appended to it.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if quiet.is_guarding():
            quiet.end(number)
        received.append(number)
        raise KeyboardInterrupt

    for number in _UNWINDING:
        if signal.getsignal(number) == signal.SIG_DFL:  # with `nohup`, SIGHUP is ignored
            signal.signal(number, handle)


def _parsed(values: flags.FlagValues, argv: Sequence[str]) -> list[str]:
    """Parses the flags, with every complaint of absl as an error of the user; returns what is left.

    absl would ignore unknown flags that --undefok lists.
    """
    for word in argv[1:]:
        if word == "--":
            break
        if word.startswith("-") and word.lstrip("-").split("=")[0] == "undefok":
            raise UsageError("--undefok is not a flag of this program: only known flags are accepted.")
    try:
        return list(values(argv))
    except flags.IllegalFlagValueError as error:
        if boolean := re.match(r"flag --(\w+)=.*Non-boolean argument to boolean flag', (.*)\)", str(error), re.DOTALL):
            raise UsageError(f"--{boolean[1]} is {boolean[2]}, but must be true or false.") from error
        reason = str(error.__context__)
        named = re.match(r"flag --(\w+)=(.*)", str(error).removesuffix(f": {reason}"), re.DOTALL)
        if not named or named[1] not in values:
            raise
        flag = values[named[1]]
        why = reason if path_flags.use_of(flag) else _expected(flag.parser)
        if not why:
            raise
        raise UsageError(f"--{named[1]} is {named[2]!r}, but {why}") from error
    except ValueError as error:  # such as --nojson=1
        name = re.match(r"--no(\w+)", str(error))
        expected = f": expected --{name[1]} or --no{name[1]}" if name and name[1] in values else ""
        raise UsageError(f"{error}{expected}.") from error


def _expected(parser: flags.ArgumentParser) -> str:
    """What a flag of numbers or of a choice must be; "" for others, whose errors say it."""
    if isinstance(parser, flags.EnumParser):
        return f"must be one of {', '.join(parser.enum_values)}."
    if not isinstance(parser, (flags.IntegerParser, flags.FloatParser)):
        return ""
    kind = "a whole number" if isinstance(parser, flags.IntegerParser) else "a number"
    least, most = parser.lower_bound, parser.upper_bound
    limits = f" of at least {least}" if most is None else f" from {least} to {most}"
    if least is None:
        limits = "" if most is None else f" of at most {most}"
    return f"must be {kind}{limits}."


# Flags that an argument without a flag may have been meant for, if the program requires no path.
_NATURAL = ("text", "csv", "data_dir", "model_base_path", "workdir")


def _meant(program: ModuleType, values: flags.FlagValues, word: str) -> str | None:
    """The flag that a stray argument was probably meant to be, with its value; None if there is not exactly one."""
    if word.lower() in ("true", "false", "yes", "no"):  # the value of a flag that takes none
        return None
    name, equals, _ = word.partition("=")
    if equals and name in values:
        return f"--{word}"
    required = [flag for flag in getattr(program, "REQUIRED", ()) if path_flags.use_of(values[flag])]
    candidates = required or [flag for flag in _NATURAL if flag in values][:1]
    missing = [flag for flag in candidates if not values[flag].present]
    return f"--{missing[0]}={word}" if len(missing) == 1 else None


def _selected(name: str, program: ModuleType, arguments: list[str]) -> str:
    """The part that the first argument names; without one, or if it asks for help, lists the parts and exits."""
    parts = program.PARTS
    if arguments == ["--version"]:
        print(_VERSION, flush=True)
        sys.exit(0)
    if not arguments or asks_for_help(arguments[0]):
        width = max(map(len, parts))
        lines = [f"  {part:{width}}  {_summary(module)}" for part, module in parts.items()]
        usage = f"usage: python -m bin.{f'{name} NAME'.strip()} [flags]"
        print(_as_called("\n".join([_doc(program), "", usage, "", *lines])), flush=True)
        sys.exit(0)
    if arguments[0] not in parts:
        near = difflib.get_close_matches(arguments[0], parts, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        why = f"the first argument is {arguments[0]!r}, but must be one of {', '.join(parts)}{hint}"
        _fail(name or "tf2cases", why, 2)
    return arguments[0]


def _usage(name: str, program: ModuleType, positional: str | None, values: flags.FlagValues) -> str:
    lines = [_doc(program), "", f"usage: python -m bin.{name} [flags] {positional or ''}".rstrip(), ""]
    hidden = ("h", *_CALLS_FOR_HELP[1:])
    lines += [f"  --{flag}: {values[flag].help}" for flag in sorted(values) if flag not in hidden]
    return _as_called("\n".join(lines))


def _imported(part: ModuleType | str) -> ModuleType:
    return importlib.import_module(part) if isinstance(part, str) else part


def _summary(part: ModuleType | str) -> str:
    """The first line of a program's docstring; a program given by its dotted name is not imported."""
    if not isinstance(part, str):
        return _doc(part).splitlines()[0]
    spec = importlib.util.find_spec(part)
    assert spec
    with open(str(spec.origin), encoding="utf-8") as file:
        return (ast.get_docstring(ast.parse(file.read())) or "").splitlines()[0]


def _as_called(text: str) -> str:
    """A text with the commands in it written as this one was called: `tf2cases NAME` or `python -m bin.NAME`."""
    installed = os.path.basename(sys.argv[0]) == "tf2cases"
    return text.replace("python -m bin.", "tf2cases ") if installed else text


def _doc(program: ModuleType) -> str:
    return (program.__doc__ or "").strip()


def _fail(name: str, error: Exception | str, status: int, debug: bool = False) -> NoReturn:
    if debug:
        traceback.print_exc()
    sys.stdout.flush()
    print(_as_called(f"{name}: {' '.join(str(error).split())}"), file=sys.stderr)
    sys.exit(status)
