"""The interface for both front ends: finds the model of a request and runs it. It does not depend on gRPC or HTTP.

    with core.lease(ModelSpec("digits", label="stable")) as servable:
        specs = servable.signatures["serving_default"].inputs
        outputs = await servable.predict("serving_default", {"images": images})
        servable.version    # for the answer's model_spec

All methods must be called in the event loop's thread. Errors that are reported to the client are raised as
`ServingError`. If the calling task is cancelled (because the client has disconnected) or the deadline passes before the
computation starts, the request is dropped.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from tensorflow_serving.config import model_server_config_pb2

from tf2cases.errors import RunError
from tf2cases.server import batching, execution, messages, sources, warmup
from tf2cases.server.errors import Code, ServingError
from tf2cases.server.inference import Classes, Inference, Plan, Task, Values
from tf2cases.server.metrics import Metrics
from tf2cases.server.options import CoreOptions
from tf2cases.server.saved_model import SavedModel, session_config
from tf2cases.server.specs import ModelSpec, Signature, VersionStatus
from tf2cases.server.versions import Version, Versions

_LOAD_THREADS = 2
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """The objects of a loaded version."""

    model: SavedModel
    inference: Inference
    runner: execution.Runner


class Servable:
    """A loaded version, leased for one request.

    Attributes:
      name, version, path: the model's name, and the version's number and folder.
      signatures: {name: Signature}.
      signature_defs: {name: SignatureDef message}, for GetModelMetadata.
    """

    def __init__(self, version: Version, metrics: Metrics):
        self.name, self.version, self.path = version.name, version.number, version.path
        self._loaded, self._metrics = version.loaded, metrics
        self.signatures: Mapping[str, Signature] = version.loaded.model.signatures
        self.signature_defs: Mapping[str, Any] = version.loaded.model.signature_defs

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
          ServingError: FAILED_PRECONDITION, no such signature; INVALID_ARGUMENT, inputs are missing, unknown, of a
            wrong type, or refused by the model, or unknown outputs are asked for; UNAVAILABLE, the queue is full;
            DEADLINE_EXCEEDED.
        """
        return await self._run(self._loaded.inference.predict(signature, inputs, output_filter), "Predict", deadline)

    async def classify(self, signature: str, examples: Sequence[bytes], deadline: float | None = None) -> Classes:
        """Returns a list of (label, score) for each serialized tf.Example; missing labels are "", missing scores 0."""
        plan = self._loaded.inference.classify(signature, examples)
        return await self._run(plan, "Classify", deadline, len(examples))

    async def regress(self, signature: str, examples: Sequence[bytes], deadline: float | None = None) -> Values:
        """Returns the value that the model predicts for each serialized tf.Example."""
        plan = self._loaded.inference.regress(signature, examples)
        return await self._run(plan, "Regress", deadline, len(examples))

    async def multi_inference(
        self, tasks: Sequence[Task], examples: Sequence[bytes], deadline: float | None = None
    ) -> list[Classes | Values]:
        """Runs several tasks on the same serialized tf.Examples, and returns their results in order."""
        plan = self._loaded.inference.multi(tasks, examples)
        return await self._run(plan, "MultiInference", deadline, len(examples))

    async def _run(self, plan: Plan, api: str, deadline: float | None, examples: int = 0) -> Any:
        if examples:
            self._metrics.examples.add(self.name, by=examples)
            self._metrics.example_counts.add(examples, self.name)
        start = time.monotonic()
        values = await _before(deadline, self._loaded.runner.run(plan.feeds, plan.fetches))
        self._metrics.runtime_latency.add((time.monotonic() - start) * 1e6, self.name, api, "TF1")
        return plan.finish(values)


class Core:
    """The server without its front ends.

    Attributes:
      metrics: the server's metrics; front ends call `metrics.request` once for each request.
      metrics_path: the REST path at which they are available, or None.
    """

    def __init__(self, options: CoreOptions):
        """Reads the batching parameters; `start` does the rest.

        Raises:
          RunError: they cannot be read, or are wrong.
        """
        self.metrics, self.metrics_path, self._options = Metrics(), options.metrics_path, options
        self._config = self._last_read = model_server_config_pb2.ModelServerConfig()
        self._labels: dict[str, dict[str, int]] = {}
        self._changing = asyncio.Lock()
        self._polls: list[asyncio.Task] = []
        self._session_config = session_config(options.intra_op, options.inter_op, options.gpu_fraction)
        self._executor = ThreadPoolExecutor(options.threads, "tensorflow")
        self._load_executor = ThreadPoolExecutor(_LOAD_THREADS, "load")
        self._batching: batching.Parameters | None = None
        self._scheduler: batching.Scheduler | None = None
        if options.batching:
            message = messages.BatchingParameters()
            if options.batching_file:
                messages.read(options.batching_file, message)
            try:
                self._batching = batching.Parameters.of(message)
            except ServingError as error:
                raise RunError(f"{options.batching_file}: {error.message}.") from error
            self._scheduler = batching.Scheduler(batching.threads(message))
        self._versions = Versions(
            self._load,
            lambda loaded: loaded.model.close(),
            self._load_executor,
            max(options.retries, 0),
            max(options.retry_seconds, 0),
        )

    async def start(self) -> None:
        """Loads the models and starts polling; returns after the first attempt to load each version.

        Raises:
          RunError: the config file is malformed or invalid.
        """
        try:
            self._last_read = await asyncio.to_thread(self._read_config)
            await self._apply(self._last_read)
        except ServingError as error:
            hint = "; see --allow_version_labels_for_unavailable_models" if "assign label" in error.message else ""
            raise RunError(f"Failed to start server. Error: {error.code.name}: {error.message}{hint}.") from error
        await self._versions.first_tries([model.name for model in self._models()])
        if self._options.poll_seconds > 0:
            self._repeat(self._options.poll_seconds, self._poll_versions)
        if self._options.config_file and self._options.config_poll_seconds > 0:
            self._repeat(self._options.config_poll_seconds, self._poll_config)

    async def close(self) -> None:
        """Stops polling and unloads the models."""
        for poll in self._polls:
            poll.cancel()
        # A running poll could start to load a version after the threads have ended.
        await asyncio.gather(*self._polls, return_exceptions=True)
        await self._versions.close()
        for executor in (self._executor, self._load_executor):
            executor.shutdown(wait=False, cancel_futures=True)
        if self._scheduler:
            self._scheduler.close()

    @contextlib.contextmanager
    def lease(self, spec: ModelSpec) -> Iterator[Servable]:
        """Yields the requested version, which stays loaded within the `with` block.

        Raises:
          ServingError: NOT_FOUND, there is no such version; INVALID_ARGUMENT, the name is missing or the label
            is unknown.
        """
        with self._versions.lease(spec.name, self._number(spec)) as version:
            yield Servable(version, self.metrics)

    def status(self, spec: ModelSpec) -> list[VersionStatus]:
        """Returns the status of all versions of a model, or of the requested one; newest first.

        Raises:
          ServingError: NOT_FOUND, there is no such model or version; INVALID_ARGUMENT, the name is missing or the label
            is unknown.
        """
        return self._versions.statuses(spec.name, self._number(spec))

    def served(self) -> dict[str, list[int]]:
        """Returns {model: the numbers of its available versions}."""
        return {model.name: self._versions.available(model.name) for model in self._models()}

    async def reload(self, config: Any) -> None:
        """Replaces the config, a ModelServerConfig message; returns when the new models are loaded.

        Raises:
          ServingError: INVALID_ARGUMENT, the config is invalid; FAILED_PRECONDITION, a label's version is not loaded;
            UNKNOWN, a new model cannot be loaded.
        """
        before = {model.name for model in self._models()}
        await self._apply(config)
        added = [model.name for model in self._models() if model.name not in before]
        await self._versions.first_tries(added)
        missing = [name for name in added if not self._versions.available(name)]
        if missing:
            reasons = "".join(f"{{{name}{self._reason(name)}}}, " for name in missing)
            raise ServingError(Code.UNKNOWN, f"{len(missing)} model(s) did not become available: {{{reasons}}}")

    def _models(self) -> Sequence[Any]:
        return self._config.model_config_list.config

    def _number(self, spec: ModelSpec) -> int | None:
        """Returns the number of the requested version, or None for the newest."""
        if not spec.name:
            raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        if spec.label is None:
            # Some clients, such as ovmsclient, ask for version 0 and mean the newest.
            return spec.version if spec.version or self._versions.is_available(spec.name, 0) else None
        number = self._labels.get(spec.name, {}).get(spec.label)
        if number is None:
            raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.label}")
        return number

    def _read_config(self) -> Any:
        if self._options.config_file:
            return messages.read(self._options.config_file, model_server_config_pb2.ModelServerConfig())
        return sources.single(self._options.name, self._options.base_path)

    async def _apply(self, config: Any) -> None:
        """Checks a config, makes it the current one, and assigns the versions that it selects."""
        async with self._changing:
            if config.WhichOneof("config") == "custom_model_config":
                raise ServingError(Code.INVALID_ARGUMENT, "Only a model_config_list is supported")
            sources.check(config)
            labels = sources.labels(config, self._labels, self._versions.is_available, self._options.lenient_labels)
            removed = {model.name for model in self._models()} - {m.name for m in config.model_config_list.config}
            self._config, self._labels = config, labels
            for name in removed:
                self._versions.assign(name, {})
            await self._assign()

    async def _assign(self) -> None:
        for model in self._models():
            folders = await asyncio.to_thread(sources.wanted, model)
            if folders is not None:
                self._versions.assign(model.name, folders)

    async def _poll_versions(self) -> None:
        if not self._options.config_file and self._config is self._last_read:  # sub-folders may have become models
            config = await asyncio.to_thread(self._read_config)
            if config != self._config:
                self._last_read = config
                await self._apply(config)
                return
        async with self._changing:
            await self._assign()

    async def _poll_config(self) -> None:
        config = await asyncio.to_thread(self._read_config)
        if config != self._last_read:
            self._last_read = config
            await self.reload(config)

    def _repeat(self, seconds: float, function: Callable[[], Coroutine]) -> None:
        self._polls.append(asyncio.create_task(_repeated(seconds, function)))

    def _reason(self, name: str) -> str:
        try:
            status = self._versions.statuses(name, None)[0]
        except ServingError:
            return ": no versions found"
        return f" version: {status.version} due to error: {status.code.name}: {status.message}"

    def _load(self, name: str, path: str) -> _Loaded:
        """Loads and warms up a version. Runs in a worker thread."""
        start, outcome = time.monotonic(), "fail"
        try:
            model = SavedModel(path, self._options.tags, self._session_config)
            try:
                loaded = self._prepared(model)
            except BaseException:
                model.close()
                raise
            outcome = "success"
            return loaded
        except ServingError:
            raise
        except Exception as error:
            raise ServingError(Code.INTERNAL, f"{path} cannot be loaded: {error}") from error
        finally:
            self.metrics.load_attempts.add(path, outcome)
            self.metrics.load_latency.add((time.monotonic() - start) * 1e6, path)

    def _prepared(self, model: SavedModel) -> _Loaded:
        inference = Inference(model.signatures, model.signature_defs, self._options.check_methods)
        if self._options.warmup:
            warmup.replay(model, inference, max(self._options.warmup_iterations, 1), self.metrics)
        parameters = self._batching
        if parameters and self._options.batching_per_model:
            parameters = _own_parameters(model.path)
        if parameters and self._scheduler:
            return _Loaded(model, inference, batching.Batcher(model, parameters, self._scheduler, self.metrics))
        return _Loaded(model, inference, execution.Direct(model, self._executor))


def _own_parameters(path: str) -> batching.Parameters | None:
    """Reads the batching parameters in a version's folder; returns None if there are none."""
    file = os.path.join(path, batching.FILE)
    if not os.path.exists(file):
        return None
    try:
        return batching.Parameters.of(messages.read(file, messages.BatchingParameters()))
    except RunError as error:
        raise ServingError(Code.INVALID_ARGUMENT, str(error)) from error


async def _before(deadline: float | None, coroutine: Coroutine) -> Any:
    """Awaits a coroutine until a deadline.

    Raises:
      ServingError: DEADLINE_EXCEEDED, the deadline has passed; the coroutine is cancelled.
    """
    if deadline is None:
        return await coroutine
    try:
        return await asyncio.wait_for(coroutine, deadline - asyncio.get_running_loop().time())
    except asyncio.TimeoutError:
        raise ServingError(Code.DEADLINE_EXCEEDED, "Deadline exceeded before the request was computed") from None


async def _repeated(seconds: float, function: Callable[[], Coroutine]) -> None:
    """Calls a function periodically. Errors are logged and do not stop it."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await function()
        except (ServingError, RunError, OSError) as error:
            _log.error("%s", error)
        except Exception:
            _log.exception("polling failed")
