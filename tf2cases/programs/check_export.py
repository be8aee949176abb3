"""Checks whether a model server can serve an export, and says what to do where it cannot.

    python -m bin.check_export exports/mnist_cnn
    python -m bin.check_export exports/mnist_cnn/2 other/model

Prints a line for each rule: `ok`, `FAILED` with what to do, or `-` if the rule does not apply or cannot be checked. Of
exports/NAME, the newest version is checked, as a server loads it. SavedModels of other programs can be checked as well;
rules about the model card do not apply to those without one.

The exit status is 0 if no rule fails, 1 if one does, and 2 if there is no SavedModel.
"""

import dataclasses
import importlib.util
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from absl import flags

from tf2cases import files, quiet
from tf2cases.errors import RunError, UsageError
from tf2cases.serving import batching, card, directories

POSITIONAL = "EXPORT..."

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DATA = re.compile(r"variables\.data-\d{5}-of-(\d{5})")
_MOST_VERSION = 2**63 - 1
_PYTHON = ("EagerPyFunc", "PyFunc", "PyFuncStateless")  # operations that call Python
_VARIABLES = ("VarHandleOp", "Variable", "VariableV2")
_EXPORT_AGAIN = "export the model again"

# Rule -> what to do if it fails.
_TO_DO = {
    "model name": "rename the folder to letters, digits, '_', '-' and '.': the name is part of the server's URLs",
    "version directories": "name the directory of a SavedModel by an integer, as in exports/NAME/1; remove doubles",
    "complete files": f"{_EXPORT_AGAIN}; write to another name and rename the finished directory",
    "known operations": "replace these operations by TensorFlow's own, since a server has no others and no Python",
    "loads": _EXPORT_AGAIN,
    "a default signature": "add a signature serving_default that takes tensors",
    "flat outputs": "return a flat dictionary of tensors, {name: tensor}",
    "plain names": "rename it",
    "inputs and outputs": "give every signature an input and an output",
    "batch dimension": "let the first dimension be None, so that the server can join requests",
    "float32 outputs": "cast the output with tf.cast(value, tf.float32)",
    "byte inputs": "give the signature another name that ends in _bytes, and let serving_default take tensors",
    "byte outputs": "rename the output, so that REST encodes it as base64",
    "classify": "take 'inputs' (serialized tf.Examples), and return 'classes' and 'scores' with one row per example",
    "names of outputs": "rename the output",
    "no XLA": "trace the function without jit_compile=True for the export",
    "answers": "correct the signature, or the example in the card, and export the model again",
    "card": f"{_EXPORT_AGAIN}: somebody changed the card",
    "checksums": f"{_EXPORT_AGAIN}, or restore the files",
    "card fits": f"{_EXPORT_AGAIN}: the card is of another model",
    "warm-up records": "export the model again without --no_warmup, so that the first requests are not slow",
    "batching": f"correct or remove {batching.PATH}",
}


class _Failed(Exception):
    """A rule fails; the message says how."""


class _Skipped(Exception):
    """A rule does not apply or cannot be checked; the message says why."""


@dataclasses.dataclass(frozen=True)
class _Line:
    """What was found for a rule."""

    state: str
    rule: str
    text: str

    def print(self) -> None:
        print(f"{self.state:6}  {self.rule}: {self.text}")
        if self.state == "FAILED":
            print(f"        to do: {_TO_DO[self.rule]}")


def define(values: flags.FlagValues) -> None:
    del values  # it has no flags


def main(values: flags.FlagValues, paths: list[str]) -> int:
    del values
    if not paths:
        raise UsageError("no export is given: name at least one directory, such as exports/mnist_cnn.")
    found = [_located(path) for path in paths]
    quiet.import_tensorflow()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    failed = False
    for base, version in found:
        lines = list(_checked(base, version))
        for line in lines:
            line.print()
        counts = [sum(line.state == state for line in lines) for state in ("ok", "FAILED", "-")]
        print(f"{version}: {counts[0]} ok, {counts[1]} failed, {counts[2]} not checked.")
        failed |= counts[1] > 0
    return 1 if failed else 0


def _located(path: str) -> tuple[str, str]:
    """(the model's directory, the version's directory) of an argument.

    Raises:
      UsageError: there is neither a version nor a SavedModel.
    """
    path = os.path.normpath(path)
    if not os.path.isdir(path):
        raise UsageError(f"there is no directory {path}: an export must be a directory, such as exports/mnist_cnn.")
    whole = os.path.abspath(path)
    is_incomplete = os.path.basename(whole).isdecimal() and os.path.isdir(os.path.join(path, "variables"))
    if is_incomplete or os.path.exists(os.path.join(path, "saved_model.pb")):
        return os.path.dirname(whole), path
    newest = directories.newest_version(path)
    if newest is None:
        raise UsageError(f"{path} is no export: it must hold a SavedModel in a directory named by an integer.")
    return whole, newest


def _checked(base: str, version: str) -> Iterator[_Line]:
    """Checks all rules of one version."""
    yield _line("model name", lambda: _model_name(base))
    yield _line("version directories", lambda: _versions(base, version))
    operations: set[str] = set()
    yield _line("complete files", lambda: _complete(version, operations))
    yield _line("known operations", lambda: _known(operations))
    loaded: list[Any] = []
    yield _line("loads", lambda: _load(version, loaded))
    yield from _signature_rules(version, loaded)
    yield from _card_rules(version, loaded)
    yield _line("warm-up records", lambda: _warm_up(version, loaded))
    yield _line("batching", lambda: _batching(version))


def _line(rule: str, check: Callable[[], str]) -> _Line:
    try:
        return _Line("ok", rule, check())
    except _Failed as error:
        return _Line("FAILED", rule, str(error))
    except _Skipped as error:
        return _Line("-", rule, str(error))


def _model_name(base: str) -> str:
    name = os.path.basename(base)
    if not _PLAIN_NAME.fullmatch(name):
        raise _Failed(f"the model's name {name!r} has characters that a URL must escape")
    return name


def _versions(base: str, version: str) -> str:
    names = [entry.name for entry in os.scandir(base) if entry.is_dir() and re.fullmatch(r"[+-]?[0-9]+", entry.name)]
    mine = os.path.basename(os.path.abspath(version))
    if mine not in names:
        raise _Failed(f"{mine!r} is not an integer, so that a server ignores the directory")
    numbers = sorted(map(int, names))
    doubles = {number for number in numbers if numbers.count(number) > 1}
    if doubles:
        raise _Failed(f"version {min(doubles)} has several directories, of which a server takes one")
    if numbers[-1] > _MOST_VERSION:
        raise _Failed(f"version {numbers[-1]} does not fit into 64 bits")
    return f"{', '.join(map(str, numbers))}; by default, a server loads {numbers[-1]}"


def _complete(version: str, operations: set[str]) -> str:
    """Also collects the names of the graph's operations."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        with open(os.path.join(version, "saved_model.pb"), "rb") as file:
            model = saved_model_pb2.SavedModel.FromString(file.read())
    except FileNotFoundError:
        raise _Failed("saved_model.pb is missing") from None
    except (OSError, DecodeError) as error:
        raise _Failed(f"saved_model.pb cannot be read ({files.reason(error)})") from error
    own = set()
    for graph in (meta_graph.graph_def for meta_graph in model.meta_graphs):
        own |= {function.signature.name for function in graph.library.function}
        operations |= {node.op for node in graph.node}
        operations |= {node.op for function in graph.library.function for node in function.node_def}
    operations -= own
    folder = os.path.join(version, "variables")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    if "variables.index" not in names:
        if operations & {*_VARIABLES}:
            raise _Failed("variables/variables.index is missing; a server would load the model, but answer nothing")
        return "saved_model.pb; the graph has no variables"
    shards = [match for name in names if (match := _DATA.fullmatch(name))]
    wanted = int(shards[0][1]) if shards else 1
    if len(shards) != wanted:
        raise _Failed(f"{len(shards)} of {wanted} data files are in variables/")
    return "saved_model.pb and variables"


def _known(operations: set[str]) -> str:
    from tensorflow.python.framework import op_def_registry

    if not operations:
        raise _Skipped("the graph could not be read")
    if calls := sorted(operations & {*_PYTHON}):
        raise _Failed(f"{', '.join(calls)} calls Python code, which is not part of the export")
    if unknown := sorted(name for name in operations if op_def_registry.get(name) is None):
        raise _Failed(f"{', '.join(unknown)} {'are' if len(unknown) > 1 else 'is'} not of TensorFlow")
    return f"all {len(operations)} are TensorFlow's own"


def _load(version: str, loaded: list[Any]) -> str:
    import tensorflow as tf

    try:
        with files.literal(version) as place:
            loaded.append(tf.saved_model.load(place, tags=["serve"]))
    except Exception as error:  # TensorFlow raises nearly anything for damaged files
        raise _Failed(files.reason(error)) from error
    signatures = loaded[0].signatures
    return f"signatures {', '.join(sorted(signatures))}" if signatures else "it has no signatures"


def _signature_rules(version: str, loaded: list[Any]) -> Iterator[_Line]:
    """The rules in `rules`, and that every signature answers."""
    from tf2cases.serving import rules

    if not loaded:
        yield from (_Line("-", rule, "the model does not load") for rule in (*rules.NAMES, "answers"))
        return
    signatures = dict(sorted(loaded[0].signatures.items()))
    broken = list(rules.violations(signatures))
    failures, answered = [], 0
    for name, inputs in _examples(version, signatures):
        try:
            rules.check_answer(name, _answer(name, signatures[name], inputs))
            answered += 1
        except rules.RuleError as error:
            broken.append(error)
            answered += 1
        except _Failed as error:
            failures.append(str(error))
    for rule in rules.NAMES:
        found = [error.what for error in broken if error.rule == rule]
        if found:
            yield _Line("FAILED", rule, "; ".join(found))
        elif rule == "byte outputs" and answered < len(signatures):
            yield _Line("-", rule, f"{len(signatures) - answered} signatures were not called: no card with examples")
        elif rule == "classify" and "classify" not in signatures:
            yield _Line("-", rule, "there is no such signature")
        else:
            yield _Line("ok", rule, "every signature")
    if failures:
        yield _Line("FAILED", "answers", "; ".join(failures))
    elif answered:
        yield _Line("ok", "answers", f"{answered} of {len(signatures)} signatures were called with an example or zeros")
    else:
        yield _Line("-", "answers", "no card with examples, and no signature that takes numbers of known shapes")


def _examples(version: str, signatures: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(signature, one row of inputs): the example in the card, or else zeros, if an input is of no other kind."""
    import base64

    import numpy as np

    from tf2cases.serving import rules

    try:
        examples = (card.read(version) or {}).get("examples", {})
    except UsageError:
        examples = {}
    for name, function in signatures.items():
        example, inputs = examples.get(name, {}), {}
        for key, spec in rules.input_specs(function).items():
            value = example.get(key)
            if isinstance(value, dict):
                inputs[key] = np.array([base64.b64decode(value["b64"])], object)
            elif value is not None and not isinstance(value, str):
                inputs[key] = np.array([value], spec.dtype.as_numpy_dtype)
            elif spec.dtype.is_floating and spec.shape.rank and None not in spec.shape[1:]:
                inputs[key] = np.zeros([1, *spec.shape[1:]], spec.dtype.as_numpy_dtype)
        if inputs.keys() == rules.input_specs(function).keys():
            yield name, inputs


def _answer(name: str, function: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    from tf2cases.serving import verify

    try:
        outputs = verify.call(function, inputs)
    except Exception as error:  # whatever the graph raises
        raise _Failed(f"signature {name!r} fails: {files.reason(error)}") from error
    for key, value in outputs.items():
        if value.dtype.kind == "f" and np.isnan(value).any():
            raise _Failed(f"signature {name!r} answers with NaN in {key!r}")
    return outputs


def _card_rules(version: str, loaded: list[Any]) -> Iterator[_Line]:
    rules = ("card", "checksums", "card fits")
    try:
        record = card.read(version)
    except UsageError as error:
        yield _Line("FAILED", rules[0], str(error).rstrip("."))
        yield from (_Line("-", rule, "the card cannot be read") for rule in rules[1:])
        return
    if record is None:
        yield from (_Line("-", rule, "no card") for rule in rules)
        return
    yield _Line("ok", rules[0], f"of {record.get('case', 'an unknown case')}")
    yield _line(rules[1], lambda: _checksums(version))
    yield _line(rules[2], lambda: _card_fits(record, loaded))


def _checksums(version: str) -> str:
    try:
        record: Any = card.check(version)
    except UsageError as error:
        raise _Failed(str(error).rstrip(".")) from error
    return f"of {len(record['sha256'])} files"


def _card_fits(record: Any, loaded: list[Any]) -> str:
    from tf2cases.serving import rules

    if not loaded:
        raise _Skipped("the model does not load")
    signatures = loaded[0].signatures
    stated = record.get("signatures", {})
    if stated.keys() != signatures.keys():
        raise _Failed(f"the card has the signatures {_listed(stated)}, but the model {_listed(signatures)}")
    for name, function in signatures.items():
        for kind, specs in (("inputs", rules.input_specs(function)), ("outputs", function.structured_outputs)):
            if stated[name][kind].keys() != specs.keys():
                raise _Failed(
                    f"the card has the {kind} {_listed(stated[name][kind])} of {name!r}, not {_listed(specs)}"
                )
    unknown = {name for name in record.get("answers", {}).values() if name not in signatures}
    if unknown:
        raise _Failed(f"the card lets {_listed(unknown)} answer, which the model does not have")
    return "its signatures, inputs and outputs are the model's"


def _warm_up(version: str, loaded: list[Any]) -> str:
    from tf2cases.serving import warmup

    if not os.path.exists(os.path.join(version, warmup.PATH)):
        raise _Failed(f"{warmup.PATH} is missing")
    if not loaded:
        raise _Skipped("the model does not load")
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise _Skipped("tensorflow-serving-api is missing: pip install 'tf2cases[serving]'")
    from tf2cases.server import saved_model
    from tf2cases.server import warmup as replaying
    from tf2cases.server.errors import ServingError
    from tf2cases.server.inference import Inference
    from tf2cases.server.metrics import Metrics

    try:
        model = saved_model.SavedModel(version)
        try:
            inference = Inference(model.signatures, model.signature_defs, False)
            count = replaying.replay(model, inference, 1, Metrics())
        finally:
            model.close()
    except ServingError as error:
        raise _Failed(error.message.rstrip(".")) from error
    return f"{count} were replayed"


def _batching(version: str) -> str:
    from tf2cases.server import batching as server_batching
    from tf2cases.server import messages
    from tf2cases.server.errors import ServingError

    path = os.path.join(version, batching.PATH)
    if not os.path.exists(path):
        raise _Skipped(f"no {batching.PATH}")
    try:
        parameters = server_batching.Parameters.of(messages.read(path, messages.BatchingParameters()))
    except (RunError, ServingError) as error:
        raise _Failed(str(error).rstrip(".")) from error
    return f"up to {parameters.max_batch_size} rows per batch"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
