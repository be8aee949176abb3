"""Shared code of the programs that run an exported model."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from tf2cases import quiet
from tf2cases.configs import path_flags
from tf2cases.errors import UsageError, as_usage_error
from tf2cases.serving import directories

if TYPE_CHECKING:
    from tf2cases.serving.client import Client


def define_model(values: flags.FlagValues) -> None:
    """Defines --model, the exported model that a program runs."""
    text = "Exported model: exports/NAME, whose newest version is used, or the directory of one version."
    path_flags.define("model", None, text, path_flags.OTHER, values)


def define_where(values: flags.FlagValues) -> None:
    """Defines the three ways to a model, --model, --server and --rest, and the options of the remote ones."""
    text: Any = dict(flag_values=values)
    define_model(values)
    flags.DEFINE_string("server", None, "HOST:PORT of a model server's gRPC port, instead of --model.", **text)
    flags.DEFINE_string("rest", None, "http://HOST:PORT of a model server's REST port, instead of --model.", **text)
    flags.DEFINE_string("name", "default", "Name of the model on the server.", **text)
    flags.DEFINE_float("deadline", 60, "Seconds for a request to a server, with its retries.", 0.001, 86400, **text)
    flags.DEFINE_integer("retries", 5, "Retries of a request if the server is unavailable.", 0, 1000, **text)


def check_where(values: flags.FlagValues, arguments: Sequence[str] = ()) -> None:
    """Checks the flags of `define_where`.

    Args:
      values: the flags.
      arguments: the positional arguments; a model among them is recognised.

    Raises:
      UsageError: not exactly one way is given, or options of a server without one.
    """
    ways = [name for name in ("model", "server", "rest") if values[name].value]
    if not ways:
        models = [argument for argument in arguments if directories.newest_version(argument)]
        hint = f"; did you mean --model={models[0]}?" if models else "."
        raise UsageError(f"--model is missing: it must be an exported model, or --server or --rest must be given{hint}")
    if len(ways) > 1:
        raise UsageError(f"--{' and --'.join(ways)} were given, but only one of them can be.")
    for name in ("name", "deadline", "retries"):
        if values.model and values[name].present:
            raise UsageError(
                f"--{name} is given together with --model, but must be given with --server or --rest only."
            )


def connect(values: flags.FlagValues) -> "Client":
    """The client that the flags of `define_where` select.

    Raises:
      UsageError, RunError: as `client.connect`; also if a library is missing.
    """
    if values.model:
        return load(values.model)
    from tf2cases.serving import client

    options = client.Options(values.deadline, values.retries)
    try:
        with as_usage_error("--"):
            return client.connect(server=values.server, rest=values.rest, name=values.name, options=options)
    except ModuleNotFoundError as error:
        if error.name not in ("grpc", "google"):
            raise
        raise UsageError("--server needs grpcio and protobuf: pip install 'tf2cases[serving]'.") from error


def define_drawing(values: flags.FlagValues, out: str, count: str) -> None:
    """Defines the flags of a program that draws pictures: --model, --out, --count, and --seed of the latents.

    Args:
      values: where the flags are defined.
      out, count: help texts of --out and --count.
    """
    define_model(values)
    path_flags.define("out", None, out, path_flags.PICTURE, values)
    flags.DEFINE_integer("count", None, count, lower_bound=1, upper_bound=10_000, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of the latents.", lower_bound=0, upper_bound=2**63 - 1, flag_values=values)


def load(path: str, kind: str = "", signatures: Mapping[str, Collection[str]] | None = None) -> "Client":
    """Loads an export and checks that it has the required signatures.

    Args:
      path: the value of --model.
      kind: what the export should be, for the error message, such as "a DCGAN".
      signatures: the required ones, {signature: names of its inputs}.

    Raises:
      UsageError: there is no export, or a signature is missing; the message names it.
    """
    directories.version_directory(path)  # reports a mistyped path before TensorFlow is imported
    quiet.import_tensorflow()
    from tf2cases.serving import client

    model = client.connect(model=path)
    for name, inputs in (signatures or {}).items():
        if name not in model.signatures or set(model.signatures[name].inputs) != set(inputs):
            raise UsageError(
                f"--model is {path!r}, but must be an export of {kind}: it has no signature "
                f"{name}({', '.join(inputs)}), only {', '.join(model.signatures)}."
            )
    return model
