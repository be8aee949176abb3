"""A server in a thread of this process, and short ways to ask it."""

import asyncio
import contextlib
import http.client
import json
import threading
import time

import grpc
import tensorflow as tf
from tensorflow_serving.apis import model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc

from tf2cases.server.core import Core
from tf2cases.server.grpc_front import GrpcFront
from tf2cases.server.options import CoreOptions, GrpcOptions, RestOptions
from tf2cases.server.rest.application import Application
from tf2cases.server.rest.server import RestServer
from tf2cases.server.specs import ModelSpec

SECONDS = 60  # for anything that should happen


class Running:
    """A running server.

    Attributes:
      core: its core.
      prediction, model: stubs of the two services.
    """

    def __init__(self, core_options, grpc_options, rest_options):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.core, self._fronts = None, []
        try:
            self.core = self.run(self._core(core_options))
            self.run(self.core.start())
            for front in (
                GrpcFront(self.core, grpc_options),
                RestServer(rest_options, Application(self.core, rest_options)),
            ):
                self.run(front.start())
                self._fronts.append(front)
        except BaseException:
            self._stop()
            raise
        self.grpc_port, self.rest_port = self._fronts[0].ports[0], self._fronts[1].port
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.grpc_port}",
            [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)],
        )
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    async def _core(self, options):
        return Core(options)

    def run(self, coroutine):
        """Runs a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SECONDS)

    def predict(self, inputs, name="default", timeout=SECONDS, **spec):
        """The answer to a Predict request over gRPC."""
        return self.prediction.Predict(predict_request(inputs, name, **spec), timeout)

    def post(self, path, body, status=200):
        """The JSON answer to a POST request of /v1/models/`path`; checks its status."""
        return self.ask("POST", f"/v1/models/{path}", json.dumps(body), status)

    def get(self, path, status=200):
        return self.ask("GET", path, None, status)

    def ask(self, method, path, body, status=200):
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            text = response.read().decode()
        assert response.status == status, text
        return json.loads(text) if text.startswith("{") else text

    def states(self, name="default"):
        """{version: the name of its state}."""

        async def ask():
            return self.core.status(ModelSpec(name))

        return {status.version: status.state.name for status in self.run(ask())}

    def wait(self, condition):
        """Waits until a condition holds."""
        wait_for(condition)

    def close(self):
        self.channel.close()
        self._stop()

    def _stop(self):
        for front in self._fronts:
            self.run(front.stop(1))
        if self.core:
            self.run(self.core.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextlib.contextmanager
def serving(grpc=None, rest=None, **core):
    """A running server with `CoreOptions(**core)`, and further options of the front ends."""
    grpc_options = GrpcOptions(**{"addresses": ("127.0.0.1:0",), **(grpc or {})})
    server = Running(CoreOptions(**core), grpc_options, RestOptions(port=0, **(rest or {})))
    try:
        yield server
    finally:
        server.close()


def predict_request(inputs, name="default", signature="", version=None, label=None, output_filter=()):
    request = predict_pb2.PredictRequest(output_filter=output_filter)
    request.model_spec.name, request.model_spec.signature_name = name, signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(
            value if hasattr(value, "dtype") and hasattr(value, "tensor_shape") else proto(value)
        )
    return request


def proto(value):
    return tf.make_tensor_proto(value)


def wait_for(condition, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this has not happened"
        time.sleep(0.02)
