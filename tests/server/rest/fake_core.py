"""A serving core that runs no models, and a REST server in front of it."""

import asyncio
import contextlib
import threading

import numpy as np

from tf2cases.server.core import Core
from tf2cases.server.errors import Code, ServingError
from tf2cases.server.metrics import Metrics
from tf2cases.server.specs import ModelSpec, Signature, State, TensorSpec, VersionStatus


def tensor(type_name, dtype, *shape):
    return TensorSpec("x:0", np.dtype(dtype), type_name, shape or (None,))


FLOAT, STRING, INT64 = tensor("DT_FLOAT", "float32"), tensor("DT_STRING", object), tensor("DT_INT64", "int64")
DTYPES = {
    "float": FLOAT,
    "double": tensor("DT_DOUBLE", "float64"),
    "int8": tensor("DT_INT8", "int8"),
    "uint8": tensor("DT_UINT8", "uint8"),
    "int16": tensor("DT_INT16", "int16"),
    "int32": tensor("DT_INT32", "int32"),
    "uint32": tensor("DT_UINT32", "uint32"),
    "int64": INT64,
    "uint64": tensor("DT_UINT64", "uint64"),
    "bool": tensor("DT_BOOL", "bool"),
    "string": STRING,
    "half": tensor("DT_HALF", "float16"),
    "uint16": tensor("DT_UINT16", "uint16"),
}


def signature(name, inputs, outputs):
    return Signature(name, "tensorflow/serving/predict", inputs, outputs)


class FakeServable:
    """Half plus two, and signatures that return what they get."""

    name, version = "half", 123
    signatures = {
        "serving_default": signature("serving_default", {"x": FLOAT}, {"y": FLOAT}),
        "slow": signature("slow", {"x": FLOAT}, {"y": FLOAT}),
        "fail": signature("fail", {"x": FLOAT}, {"y": FLOAT}),
        "nothing": signature("nothing", {}, {"y": FLOAT}),
        "scalar": signature("scalar", {"x": FLOAT}, {"y": FLOAT}),
        "features": signature("features", {"tag": STRING, "signal": FLOAT}, {"tag": STRING, "signal": FLOAT}),
        "picture": signature("picture", {"image_bytes": STRING}, {"image_bytes": STRING}),
        "classify": signature("classify", {"inputs": STRING}, {"scores": FLOAT}),
        **{f"echo_{name}": signature(f"echo_{name}", {"x": spec}, {"x": spec}) for name, spec in DTYPES.items()},
    }

    def __init__(self, core):
        self.core = core
        self.signature_defs = core.signature_defs

    async def predict(self, signature, inputs, output_filter=(), deadline=None):
        signature = signature or "serving_default"
        self.core.calls.append((signature, inputs))
        if signature == "slow":
            try:
                await asyncio.sleep(float(np.max(inputs["x"])))
            except asyncio.CancelledError:
                self.core.cancelled.set()
                raise
        if signature == "fail":
            raise RuntimeError("a fault of the server")
        if signature in ("serving_default", "slow"):
            return {"y": (inputs["x"] / 2 + 2).astype(np.float32)}
        if signature == "scalar":
            return {"y": np.float32(1.5).reshape(())}
        return dict(inputs)

    async def classify(self, signature, examples, deadline=None):
        self.core.calls.append((signature, examples))
        return [[("cat", 0.2), ("", 0.8)] for _ in examples]

    async def regress(self, signature, examples, deadline=None):
        self.core.calls.append((signature, examples))
        return [0.2] * len(examples)


class FakeCore(Core):
    """One model, "half", whose version 123 has the label "stable"."""

    def __init__(self):
        # The real core's constructor would start threads for TensorFlow.
        self.reset()

    def reset(self):
        self.metrics, self.metrics_path = Metrics(), "/monitoring/prometheus/metrics"
        self.calls = []
        self.cancelled = threading.Event()
        self.leases = 0
        self.signature_defs = {}

    @contextlib.contextmanager
    def lease(self, spec: ModelSpec):
        if spec.name != "half" or spec.version not in (None, 123):
            what = "Latest" if spec.version is None else "Specific"
            number = "" if spec.version is None else f", {spec.version}"
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {what}({spec.name}{number})")
        if spec.label not in (None, "stable"):
            raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.label}")
        self.leases += 1
        try:
            yield FakeServable(self)
        finally:
            self.leases -= 1

    def status(self, spec: ModelSpec):
        if spec.name != "half":
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        if spec.version not in (None, 123):
            raise ServingError(Code.NOT_FOUND, f"Could not find version {spec.version} of model {spec.name}")
        return [VersionStatus(123, State.AVAILABLE)]


@contextlib.contextmanager
def running(core, options, application=None):
    """A REST server on a free port, in a thread of its own; by default, `Application(core, options)` answers."""
    from tf2cases.server.rest.application import Application
    from tf2cases.server.rest.server import RestServer

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = RestServer(options, application or Application(core, options))

    def run(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    server.run, server.thread, server.loop = run, thread, loop
    run(server.start())
    try:
        yield server
    finally:
        run(server.stop(1))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
