"""Runs a SavedModel in this process; the only way that needs TensorFlow."""

from collections.abc import Mapping

import numpy as np

from tf2cases.serving import directories
from tf2cases.serving.client.base import Client
from tf2cases.serving.signatures import Signature, Spec


class LocalClient(Client):
    """See `client.connect`."""

    def __init__(self, path: str):
        directories.version_directory(path)  # reports a mistyped path before TensorFlow is imported
        from tf2cases.serving.model import Model

        self._model = Model(path)
        signatures = {
            name: Signature(_specs(specs), _specs(self._model.outputs[name]))
            for name, specs in self._model.signatures.items()
        }
        super().__init__(self._model.path, signatures, self._model.card)

    def _call(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = self._model.call(signature, **inputs)
        return {key: np.asarray(outputs[key]) for key in sorted(outputs)}


def _specs(specs):
    return {key: _spec_of(specs[key]) for key in sorted(specs)}


def _spec_of(spec):
    """The form of a tf.TensorSpec or tensor."""
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    return Spec(np.dtype(spec.dtype.as_numpy_dtype), shape)
