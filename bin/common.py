"""What every program shares: parsing, exit statuses, and the one-sentence error."""

import os
import sys
import traceback

from absl import app, flags

from tf2cases import training
from tf2cases.errors import RunError, UsageError
from tf2cases.serving import export
from tf2cases.training import flags as config_flags


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
                print(_usage(program, doc, positional, values))
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

    app.run(body, argv=argv, flags_parser=parse)


def train(case_class, doc, argv=None):
    """Runs the program that trains a case: its config's fields are the flags, and the export comes last."""

    def define(values):
        config_flags.define(case_class.Config, values)

    def main(values):
        config = case_class.Config.resolve(config_flags.given(case_class.Config, values))
        result = training.train(case_class, config)
        if result.stopped_by:
            return result.exit_status
        exported = ""
        if config.export_dir:
            exported = f", the export is {export_case(result.case, config.export_dir, config.warmup)}"
        print(f"Done: {result.step:,} steps; the run is in {result.workdir}{exported}.")
        return 0

    run(doc, define, main, argv)


def define_workdir(values):
    """Defines the flags of a program that works on a trained run: which folder, which checkpoint."""
    flags.DEFINE_string(
        "workdir", None, "Folder of the run, such as runs/mnist_cnn.", required=True, flag_values=values
    )
    flags.DEFINE_integer("step", None, "Step of the checkpoint; default: the newest.", flag_values=values)


def export_case(case, export_dir, warmup):
    """Exports a case as EXPORT_DIR/NAME/VERSION; returns that path."""
    directory = os.path.join(export_dir, case.config.name)
    return export.export(case.signatures(), case.requests(), directory, warmup=warmup)


def _fail(program, error, status, debug=False):
    if debug:
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
