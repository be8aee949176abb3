"""Exports a trained model as a SavedModel that a server can load at any moment."""

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

import tf2cases
from tf2cases import files
from tf2cases.errors import RunError, UsageError
from tf2cases.serving import card as model_card
from tf2cases.serving import rules, verify
from tf2cases.serving import signatures as rule
from tf2cases.serving import warmup as warmup_file
from tf2cases.serving.directories import newest_version, versions
from tf2cases.serving.signatures import Signature, Spec

_UNFINISHED = "version"  # servers ignore names that are not numbers


def export(
    signatures: Mapping[str, Any],
    requests: Mapping[str, Mapping[str, Any]],
    directory: str,
    *,
    facts: Mapping[str, Any] | None = None,
    warmup: bool = True,
    tolerance: float = 1e-5,
) -> str:
    """Writes the next version of a model, complete and checked, or nothing at all.

    The SavedModel is written with warm-up records under a temporary name that servers ignore. A fresh process loads it,
    compares it with the live model and measures it (see `batching`); only then is it flushed to the disk and renamed to
    the next integer. It holds only the variables that the signatures use: no optimizer slots, no training code.

    Args:
      signatures: {name: tf.function with an input_signature}, see `rules`; they may close over any variables.
      requests: {name: {input name: array [n, ...]}}, one valid request for each signature, n at least 2.
      directory: the model's directory, `exports/NAME`; NAME is the model's name. Created if missing.
      facts: what the model card says, see `card`. If it has the key "identity" and the newest version is of the same
        identity, signatures and software, nothing is written.
      warmup: whether to write warm-up records; without tensorflow-serving-api, prints a note instead.
      tolerance: the largest allowed difference from the live model, relative to the largest value. A model that
        computes in bfloat16 or ran on a GPU needs more than the default.

    Returns:
      The directory of the version, which is an existing one if nothing was written.

    Raises:
      rules.RuleError: a signature cannot be served.
      RunError: the disk is full, or the export's answers differ from the live model's.
    """
    directory = os.path.abspath(directory)
    try:
        functions = {name: function.get_concrete_function() for name, function in signatures.items()}
        rules.check(functions)
        card = {**(facts or {}), **_software(functions, warmup, (facts or {}).get("units"))}
        newest = newest_version(directory)
        if newest and _is_same(newest, card):
            return newest
        answers = _live_answers(signatures, functions, requests)
        files.sweep(directory, _UNFINISHED)
        with files.temporary_folder(directory, _UNFINISHED) as temporary:
            _save(functions, temporary)
            if warmup:
                _write_warmup(temporary, os.path.basename(directory), answers)
            # In the export's folder and not in the system's, since the next export there sweeps it.
            with files.temporary_folder(directory, "expected") as place:
                expected = os.path.join(place, "expected.npz")
                verify.save(expected, answers)
                verify.in_fresh_process(temporary, expected, tolerance)
            examples = {name: model_card.example(inputs) for name, inputs, _ in reversed(answers)}
            model_card.write(temporary, {**card, "examples": examples})
            return _publish_as_next_version(temporary, directory)
    except (OSError, tf.errors.OpError) as error:
        raise RunError(
            f"the export to {directory} failed, and nothing was changed there: {files.reason(error)}."
        ) from error


def _software(functions, warmup, units):
    """What the card says about the program: signatures, which answers for what, warm-up records, version."""
    signatures = {
        name: Signature(_specs(rules.input_specs(function)), _specs(function.structured_outputs))
        for name, function in functions.items()
    }
    version = {"tf2cases": tf2cases.__version__, "tensorflow": tf.__version__}
    return {
        "signatures": {name: model_card.described(name, signatures, units) for name in signatures},
        "answers": rule.answering(signatures),
        "warm_up": warmup and warmup_file.available(),
        **version,
    }


def _specs(specs):
    return {
        key: Spec(np.dtype(spec.dtype.as_numpy_dtype), None if spec.shape.rank is None else tuple(spec.shape.as_list()))
        for key, spec in specs.items()
    }


def _is_same(newest, card):
    """Whether an undamaged version is of the same model and software as a card; says so if only damage differs."""
    if "identity" not in card:
        return False
    try:
        found = model_card.read(newest) or {}
    except UsageError:
        print(f"{newest} is damaged: {model_card.PATH} cannot be read; a further version is written.", flush=True)
        return False
    keys = ("identity", "signatures", "warm_up", "tf2cases", "tensorflow")
    if any(found.get(key) != card[key] for key in keys):
        return False
    what = model_card.damage(newest, found)
    if what:
        print(f"{newest} is this model, but {what}; a further version is written.", flush=True)
    return not what


def identity(settings: Mapping[str, Any], variables: Iterable[tf.Variable]) -> str:
    """A checksum that tells a model apart from all others, for the key "identity" of the facts of `export`.

    Args:
      settings: all that the signatures depend on besides the variables.
      variables: the variables, in a fixed order.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for variable in variables:
        digest.update(np.ascontiguousarray(variable.numpy()).tobytes())
    return digest.hexdigest()


def export_case(case: Any, directory: str, *, facts: Mapping[str, Any] | None = None, warmup: bool = True) -> str:
    """Writes the next version of a trained `training.Case`, see `export`.

    Args:
      case: the trained case, registered or not.
      directory, facts, warmup: as in `export`; "identity" is by default a checksum of the config, the facts about the
        data and the variables, so that the same case is not exported twice.

    Returns:
      The directory of the version, which is the newest one if that is this case already.

    Raises:
      As `export`.
    """
    # The export is checked on the CPU, and on a GPU the live case may compute with TF32 (10 bits of mantissa).
    tolerance = 1e-2 if tf.config.list_physical_devices("GPU") else case.export_tolerance
    fields = {f.name: getattr(case.config, f.name) for f in dataclasses.fields(case.config) if not f.metadata["path"]}
    facts = {
        "case": case.config.case,
        "identity": identity({"config": fields, "info": case.info}, case.variables),
        "step": int(case.step),
        "config": dataclasses.asdict(case.config),
        "data": {"dataset": case.config.dataset, "terms": model_card.terms(case.config.dataset)},
        **({"units": case.units()} if case.units() else {}),
        **(facts or {}),
    }
    return export(case.signatures(), case.requests(), directory, facts=facts, warmup=warmup, tolerance=tolerance)


def _live_answers(signatures, functions, requests):
    """[(signature, inputs, outputs)] of the live model, for one row and for all rows of each request."""
    if set(requests) != set(signatures):
        raise RunError(
            f"requests are given for {sorted(requests)}, but must be for the signatures {sorted(signatures)}."
        )
    answers = []
    for name, function in functions.items():
        specs = rules.input_specs(function)
        if set(requests[name]) != set(specs):
            raise RunError(f"the request for {name!r} has {sorted(requests[name])}, but must have {sorted(specs)}.")
        request = {key: tf.convert_to_tensor(requests[name][key], spec.dtype).numpy() for key, spec in specs.items()}
        for rows in (1, None):
            inputs = {key: value[:rows] for key, value in request.items()}
            counts = {key: len(value) for key, value in inputs.items()}
            if rows is None and (min(counts.values()) < 2 or len(set(counts.values())) > 1):
                raise RunError(
                    f"the request for {name!r} has {counts} rows, but must have at least 2, equally many per input."
                )
            outputs = verify.call(function, inputs)
            rules.check_answer(name, outputs)
            answers.append((name, inputs, outputs))
    return answers


def _save(functions, directory):
    """Saves the functions with exactly the variables that they read."""
    module = tf.Module()
    variables = {id(v): v for function in functions.values() for v in function.graph.variables}
    module.served_variables = list(variables.values())
    with files.literal(directory) as place:
        tf.saved_model.save(module, place, signatures=functions)


def _write_warmup(directory, model_name, answers):
    if warmup_file.available():
        warmup_file.write(directory, model_name, [(name, inputs) for name, inputs, _ in answers])
    else:
        print(
            "The export has no warm-up records, because tensorflow-serving-api is missing: "
            "install it with pip install 'tf2cases[serving]', or pass --no_warmup.",
            file=sys.stderr,
        )


def _publish_as_next_version(temporary, directory):
    version = max(versions(directory), default=0) + 1
    while True:
        target = os.path.join(directory, str(version))
        if not os.path.lexists(target):
            try:
                files.publish(temporary, target)
                return target
            except OSError:
                if not os.path.lexists(target):
                    raise
        version += 1  # the name is a file's, or another export took it first
