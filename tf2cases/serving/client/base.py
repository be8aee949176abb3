"""What the three ways share: finding the signature, checking inputs, batches, retries."""

import dataclasses
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from tf2cases.errors import RunError, UsageError
from tf2cases.serving import signatures as rule
from tf2cases.serving.signatures import Signature, Spec

_Result = TypeVar("_Result")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds before a retry; doubled each time

_WHAT = {
    "pictures": "image_bytes as its only input",
    "values": "rows of numbers",
    "latents": "latents (z)",
    "tensors": "tensors",
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of remote requests.

    Attributes:
      deadline: seconds for a request, all its retries included.
      retries: how often a request is repeated if the server is unavailable; other errors are not repeated.
    """

    deadline: float = 60.0
    retries: int = 5


class Unavailable(Exception):
    """The server cannot be reached, or says that it is unavailable: trying again may help."""


class Client:
    """A model that can be asked.

    Attributes:
      where: where the model is, for messages.
      signatures: {name: Signature}; of a server's, those whose dtypes NumPy has.
      card: the model card, if the model is in a directory and has one; else None.
      answers: {kind: signature}, what answers for what: from the card, or else by the rule in `serving.signatures`.
    """

    def __init__(self, where: str, signatures: Mapping[str, Signature], card: Mapping[str, Any] | None = None):
        self.where, self.card = where, card
        self.signatures = dict(signatures)
        given = (card or {}).get("answers")
        self.answers: dict[str, str] = dict(given) if isinstance(given, dict) else rule.answering(self.signatures)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""

    def signature_for(self, kind: str) -> str:
        """The name of the signature that answers for one of `serving.signatures.KINDS`.

        Raises:
          UsageError: none does.
        """
        name = self.answers.get(kind)
        if name not in self.signatures:
            raise UsageError(
                f"{self.where} cannot be run on {kind}: none of its signatures "
                f"({', '.join(self.signatures)}) takes {_WHAT[kind]}."
            )
        return name

    def signature_of_inputs(self, inputs: Mapping[str, np.ndarray]) -> str:
        """The name of the signature that takes exactly these arrays; the default signature if there are several.

        Raises:
          UsageError: there is none.
        """
        names = sorted(self.signatures, key=lambda name: (name != rule.DEFAULT, name))
        for name in names:
            specs = self.signatures[name].inputs
            if specs.keys() == inputs.keys() and all(_fits(specs[key], inputs[key]) for key in inputs):
                return name
        given = ", ".join(f"{key} {Spec(value.dtype, value.shape)}" for key, value in inputs.items())
        takes = "; ".join(f"{name}({_specs(self.signatures[name])})" for name in names)
        raise UsageError(f"{self.where} has no signature for {given}, only {takes}.")

    def ask(self, kind: str, values: Any) -> dict[str, np.ndarray]:
        """Calls the signature that answers for a kind with its only input.

        Args:
          kind: one of "pictures", "values" and "latents".
          values: encoded picture files, or float [n, k].

        Returns, Raises:
          As `call`.
        """
        name = self.signature_for(kind)
        return self.call(name, **{next(iter(self.signatures[name].inputs)): values})

    def call(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Calls a signature.

        Args:
          signature: its name.
          **inputs: a value for each of its inputs, convertible to an array of the input's dtype and shape.

        Returns:
          {output name: array}; strings are bytes in arrays of objects.

        Raises:
          UsageError: there is no such signature, an input does not fit, or the model refuses one.
          RunError: the server is unavailable after all retries, exceeds the deadline, or fails.
        """
        if signature not in self.signatures:
            raise UsageError(
                f"{self.where} has no signature {signature!r}, only {', '.join(self.signatures) or 'none at all'}."
            )
        specs = self.signatures[signature].inputs
        if set(inputs) != set(specs):
            raise UsageError(f"signature {signature!r} was given {_names(inputs)}, but must be given {_names(specs)}.")
        arrays = {key: _array(signature, key, spec, inputs[key]) for key, spec in specs.items()}
        return self._call(signature, arrays)

    def call_in_batches(self, signature: str, batch_size: int, **inputs: Any) -> "Iterable[dict[str, np.ndarray]]":
        """Calls a signature for parts of the rows, one after the other; yields the answer to each."""
        specs = self.signatures[signature].inputs if signature in self.signatures else {}
        arrays = {key: _array(signature, key, specs[key], inputs[key]) for key in inputs if key in specs}
        count = min((len(value) for value in arrays.values()), default=0)
        for start in range(0, count, batch_size):
            yield self.call(signature, **{key: value[start : start + batch_size] for key, value in arrays.items()})

    def ask_files(self, signature: str, names: Sequence[str], contents: Sequence[bytes]) -> dict[str, np.ndarray]:
        """Calls a signature whose only input is files.

        Args:
          signature: its name.
          names, contents: of the files.

        Raises:
          UsageError: as `call`; if the model refuses a file, the message names it.
        """
        (key,) = self.signatures[signature].inputs
        try:
            return self.call(signature, **{key: contents})
        except UsageError as error:
            if len(names) == 1:
                raise UsageError(f"{names[0]}: {error}") from error
            for name, content in zip(names, contents, strict=True):
                self.ask_files(signature, [name], [content])
            raise

    def _call(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Calls a signature with arrays that fit it; each of the three ways has its own."""
        raise NotImplementedError


def retrying(work: Callable[[float], _Result], options: Options, where: str) -> _Result:
    """Calls `work(seconds left)` until it does not raise `Unavailable`, with growing pauses.

    Raises:
      RunError: it still does after the retries, or the deadline would pass during the pause.
    """
    end, pause = time.monotonic() + options.deadline, _FIRST_PAUSE
    for attempt in range(options.retries + 1):
        try:
            return work(max(end - time.monotonic(), 0.001))
        except Unavailable as error:
            wait = pause * random.uniform(0.5, 1.0)  # clients of one server must not all come back at once
            if attempt == options.retries or time.monotonic() + wait > end:
                tries = f"{attempt + 1} attempt{'s'[: attempt > 0]}"
                raise RunError(f"{where} is unavailable after {tries}: {str(error).rstrip('.')}.") from error
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
    raise AssertionError("the last attempt returns or raises")


def late(where: str, options: Options) -> RunError:
    """The error of a request that takes longer than its deadline."""
    return RunError(f"{where} did not answer within the deadline of {options.deadline:g} seconds.")


def bytes_array(values: Any) -> np.ndarray:
    """An array of objects of bytes, which keeps zero bytes at their ends; text is encoded in UTF-8."""
    array = np.asarray(values) if isinstance(values, np.ndarray) else np.array(values, object)
    flat = [value.encode() if isinstance(value, str) else value for value in array.ravel().tolist()]
    if not all(isinstance(value, bytes) for value in flat):
        raise ValueError("these are not strings")
    result = np.empty(len(flat), object)
    result[:] = flat
    return result.reshape(array.shape)


def _array(signature, key, spec, value):
    try:
        array = bytes_array(value) if spec.dtype == object else _numbers(value, spec.dtype)
        given = f"{Spec(array.dtype, array.shape)}"
    except (TypeError, ValueError, OverflowError):
        array, given = None, "something else"
    if array is None or not spec.fits(array.shape):
        raise UsageError(f"input {key!r} of signature {signature!r} is {given}, but must be {spec}.")
    return array


def _numbers(value, dtype):
    array = np.asarray(value)
    if array.dtype.kind not in "biufc" or not (array.dtype.kind in "bui" or dtype.kind == array.dtype.kind):
        raise ValueError("these are no such numbers")
    if (dtype.kind == "b") != (array.dtype.kind == "b"):
        raise ValueError("truth values are no numbers")
    converted = array.astype(dtype)
    if dtype.kind in "ui" and not np.array_equal(converted, array):
        raise OverflowError("a number is too large")
    return np.ascontiguousarray(converted)


def _fits(spec, value):
    try:
        array = bytes_array(value) if spec.dtype == object else _numbers(value, spec.dtype)
    except (TypeError, ValueError, OverflowError):
        return False
    return spec.fits(array.shape)


def _names(names):
    return ", ".join(sorted(names)) or "nothing"


def _specs(signature):
    return ", ".join(f"{key} {spec}" for key, spec in signature.inputs.items())
