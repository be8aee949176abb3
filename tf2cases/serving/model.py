"""Loads an exported model and calls its signatures."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import files
from tf2cases.errors import UsageError
from tf2cases.serving import card
from tf2cases.serving.directories import version_directory


class Model:
    """A SavedModel and its signatures.

    Attributes:
      path: the version's directory.
      signatures: {signature name: {input name: tf.TensorSpec}}.
      outputs: {signature name: {output name: tf.TensorSpec}}.
      card: the model card (see `card`), or None.
    """

    def __init__(self, path: str):
        """Loads a model.

        Args:
          path: `exports/NAME`, whose newest version is loaded, or the directory of one version.

        Raises:
          UsageError: no such directory, no version in it, not a SavedModel, or damaged (see `card.check`).
        """
        self.path = version_directory(path)
        self.card = card.check(self.path)
        try:
            with files.literal(self.path) as place:
                self._loaded = tf.saved_model.load(place)
        except Exception as error:  # TensorFlow raises nearly anything for damaged files
            reason = files.reason(error)
            raise UsageError(f"{self.path} is not a complete SavedModel ({reason}); export it again.") from error
        self.signatures = {
            name: function.structured_input_signature[1] for name, function in sorted(self._loaded.signatures.items())
        }
        self.outputs = {name: self._loaded.signatures[name].structured_outputs for name in self.signatures}

    def call(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Calls a signature.

        Args:
          signature: its name.
          **inputs: a value for each of its inputs, convertible to a tensor of the input's dtype and shape [n, ...].

        Returns:
          {output name: array [n, ...]}.

        Raises:
          UsageError: there is no such signature, an input has the wrong name, shape or type, or the model itself
            rejects one, such as a damaged picture.
        """
        if signature not in self.signatures:
            raise UsageError(
                f"{self.path} has no signature {signature!r}, only {', '.join(self.signatures) or 'none at all'}."
            )
        specs = self.signatures[signature]
        if set(inputs) != set(specs):
            raise UsageError(f"signature {signature!r} was given {_names(inputs)}, but must be given {_names(specs)}.")
        tensors = {key: _tensor(signature, spec, key, inputs[key]) for key, spec in specs.items()}
        try:
            outputs = self._loaded.signatures[signature](**tensors)
        except tf.errors.InvalidArgumentError as error:
            raise UsageError(f"signature {signature!r} refused its input: {files.reason(error)}.") from error
        return {key: value.numpy() for key, value in outputs.items()}


def _tensor(signature, spec, key, value):
    try:
        tensor = tf.convert_to_tensor(value, spec.dtype)
    except (TypeError, ValueError, tf.errors.OpError):
        tensor = None
    if tensor is None or not spec.shape.is_compatible_with(tensor.shape):
        given = "something else" if tensor is None else f"{tensor.dtype.name} {tensor.shape}"
        raise UsageError(
            f"input {key!r} of signature {signature!r} is {given}, but must be {spec.dtype.name} {spec.shape}."
        )
    return tensor


def _names(names):
    return ", ".join(sorted(names)) or "nothing"
