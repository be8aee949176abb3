"""What every program shares: parsing, exit statuses, and the one-sentence error."""

import os
import statistics
import sys
import traceback

from absl import app, flags, logging

from tf2cases.errors import RunError, UsageError


def run(doc, define, main, argv=None):
    """Runs a program: defines its flags, parses `argv`, calls `main(flag_values)`; never returns.

    Exit status 0; 2 with one sentence on standard error for bad arguments or input (`UsageError`, absl's flag errors,
    stray arguments); 1 with one sentence for what failed while running (`RunError`, a full disk). With `--debug` the
    traceback comes first.

    Args:
      doc: the program's docstring, shown by `--help`.
      define: called with an `absl.flags.FlagValues`, defines the program's flags there.
      main: called with the parsed `FlagValues`; what it returns is the exit status. A program that takes positional
        arguments sets `main.positional` to what they are called in the help, and gets them as a second argument.
      argv: the command line with the program's name first; `sys.argv` by default.
    """
    argv = list(sys.argv if argv is None else argv)
    program = os.path.splitext(os.path.basename(argv[0]))[0]
    values = flags.FlagValues()
    define(values)
    flags.DEFINE_bool("debug", False, "Show the traceback of an error.", flag_values=values)
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)
    positional = getattr(main, "positional", None)

    def parse(arguments):
        try:
            rest = values(arguments)[1:]
            if values["help"].value:
                print(_usage(program, doc, positional, values), flush=True)
                sys.exit(0)
            if rest and not positional:
                raise UsageError(f"unexpected argument {rest[0]!r}: only flags like --name=value are accepted.")
        except (flags.Error, UsageError) as error:
            _fail(program, error, 2)
        flags.FLAGS.mark_as_parsed()  # app.run insists; the flags live in `values`
        return rest

    def body(rest):
        try:
            return main(values, rest) if positional else main(values)
        except UsageError as error:
            _fail(program, error, 2, values["debug"].value)
        except (RunError, OSError) as error:
            _fail(program, error, 1, values["debug"].value)
        except KeyboardInterrupt as error:
            what = str(error) or "what was complete is kept"
            _fail(program, f"interrupted; {what}.", 130, values["debug"].value)

    logging.set_verbosity(logging.WARNING)
    try:
        app.run(body, argv=argv, flags_parser=parse)
    except BrokenPipeError:  # whoever read the output has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def define_model(values):
    """Defines --model, the export that a program asks."""
    flags.DEFINE_string(
        "model",
        None,
        "The model: exports/NAME, whose newest version is asked, or one version's directory.",
        flag_values=values,
    )


def required(values, name):
    """The value of a flag that has no default.

    Raises:
      UsageError: it was not given.
    """
    value = values[name].value
    if value is None:
        raise UsageError(f"--{name} is missing: {values[name].help}")
    return value


def spread(values, form):
    """'median [min .. max]' of numbers, each written with a format specification such as ',.0f'."""
    return f"{statistics.median(values):{form}} [{min(values):{form}} .. {max(values):{form}}]"


def _fail(program, error, status, debug=False):
    if debug and isinstance(error, BaseException):
        traceback.print_exception(error)
    sys.stdout.flush()
    print(f"{program}: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(status)


def _usage(program, doc, positional, values):
    lines = [
        doc.strip(),
        "",
        f"usage: python -m bin.{program} [flags] {positional or ''}".rstrip(),
        "",
    ]
    for name in sorted(values):
        if len(name) > 1:
            lines.append(f"  --{name}: {values[name].help}")
    return "\n".join(lines)
