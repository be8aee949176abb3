"""Shared code of the programs that run an exported model."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from absl import flags

from tf2cases import quiet
from tf2cases.configs import path_flags
from tf2cases.errors import UsageError
from tf2cases.serving import directories

if TYPE_CHECKING:
    import numpy as np

    from tf2cases.serving.model import Model


def define_model(values: flags.FlagValues) -> None:
    """Defines --model, the exported model that a program runs."""
    text = "Exported model: exports/NAME, whose newest version is used, or the directory of one version."
    path_flags.define("model", None, text, path_flags.OTHER, values)


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


def load(path: str, kind: str = "", signatures: Mapping[str, Collection[str]] | None = None) -> "Model":
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
    from tf2cases.serving.model import Model

    model = Model(path)
    for name, inputs in (signatures or {}).items():
        if set(model.signatures.get(name, ())) != set(inputs):
            raise UsageError(
                f"--model is {path!r}, but must be an export of {kind}: it has no signature "
                f"{name}({', '.join(inputs)}), only {', '.join(model.signatures)}."
            )
    return model


def ask(model: "Model", signature: str, paths: Sequence[str], pictures: Sequence[bytes]) -> "dict[str, np.ndarray]":
    """Calls a signature whose only input is picture files.

    Args:
      model: see `load`.
      signature: its name.
      paths, pictures: names and contents of the files.

    Raises:
      UsageError: the model rejects a file; the message names it.
    """
    try:
        return model.call(signature, image_bytes=pictures)
    except UsageError as error:
        if len(paths) == 1:
            raise UsageError(f"{paths[0]}: {error}") from error
        for path, picture in zip(paths, pictures, strict=True):
            ask(model, signature, [path], [picture])
        raise
