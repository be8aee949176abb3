"""What both front ends call: finds the model of a request and runs it. Knows nothing of gRPC services and HTTP.

    with core.lease(ModelSpec("digits", label="stable")) as servable:
        specs = servable.signatures["serving_default"].inputs
        outputs = await servable.predict("serving_default", {"images": images})
        servable.version    # for the answer's model_spec

All methods are called on the event loop's thread. A failure that a client may cause or should know is a `ServingError`.
If the awaiting task is cancelled, since the client has gone, or the deadline passes, the request is dropped if it has
not been computed yet.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.metrics import Metrics
from tf2cases.server.specs import DEFAULT_SIGNATURE, ModelSpec, Signature, VersionStatus


class Servable:
    """A loaded version, leased for one request.

    Attributes:
      name, version: of the model.
      signatures: {name: Signature}.
      signature_defs: {name: SignatureDef message}, for GetModelMetadata.
    """

    name: str
    version: int
    signatures: Mapping[str, Signature]
    signature_defs: Mapping[str, Any]

    async def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        output_filter: Sequence[str] = (),
        deadline: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
          signature: its name; "serving_default" if empty.
          inputs: {input name: array of the input's dtype}; strings are object arrays of bytes.
          output_filter: names of the wanted outputs; all if empty.
          deadline: a time of the event loop's clock (`loop.time()`), or None.

        Returns:
          {output name: array}; strings are object arrays of bytes.

        Raises:
          ServingError: FAILED_PRECONDITION, no such signature; INVALID_ARGUMENT, inputs are missing, unknown, of another
            type, or refused by the model, or unknown outputs are asked for; UNAVAILABLE, the queue is full;
            DEADLINE_EXCEEDED.
        """
        raise NotImplementedError

    async def classify(
        self, signature: str, examples: Sequence[bytes], deadline: float | None = None
    ) -> list[list[tuple[str, float]]]:
        """Classifies serialized tf.Examples; each gets a list of (label, score), with "" or 0 for what is not given."""
        raise NotImplementedError

    async def regress(self, signature: str, examples: Sequence[bytes], deadline: float | None = None) -> list[float]:
        """The value of each serialized tf.Example."""
        raise NotImplementedError


@dataclasses.dataclass
class Core:
    """The server without its front ends.

    Attributes:
      metrics: counts and times; front ends call `metrics.request` once for each request.
      metrics_path: the REST path under which they are shown, or None.
    """

    metrics: Metrics
    metrics_path: str | None = None

    @contextlib.contextmanager
    def lease(self, spec: ModelSpec) -> Iterator[Servable]:
        """The version that a request asks for; it stays loaded within the `with` block.

        Raises:
          ServingError: NOT_FOUND, "Servable not found for request: ..."; INVALID_ARGUMENT, no name or an unknown label.
        """
        raise ServingError(Code.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        yield

    def status(self, spec: ModelSpec) -> list[VersionStatus]:
        """The states of a model's versions, or of the one asked for; newest first.

        Raises:
          ServingError: NOT_FOUND, no such model or version.
        """
        raise NotImplementedError

    async def reload(self, config: Any) -> None:
        """Serves what a ModelServerConfig message lists, and nothing else; returns when that is loaded.

        Raises:
          ServingError: the config is not valid, or a version cannot be loaded.
        """
        raise NotImplementedError


__all__ = ["DEFAULT_SIGNATURE", "Core", "ModelSpec", "Servable", "Signature", "VersionStatus"]
