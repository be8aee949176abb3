"""Requests of one digit to the program serve, over gRPC and REST, with and without batching.

    python -m bin.benchmark serving --requests=10000 --clients=32 --rounds=3

The model is the CNN for digits with random weights. Two servers run, one with batching, and each has its own process;
the clients share this one. Each round asks each server over each port, in turn. "CPU ms/request" is the server's. A
first round, which fills caches, does not count; nor may any request fail.
"""

import asyncio
import contextlib
import functools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import numpy as np
from absl import flags

from tf2cases import quiet
from tf2cases.benchmarks import rounds
from tf2cases.errors import RunError

_COLUMNS = [
    ("requests/s", ",.0f"),
    ("ms p50", ".1f"),
    ("ms p95", ".1f"),
    ("ms p99", ".1f"),
    ("CPU ms/request", ".2f"),
    ("MiB", ",.0f"),
]
_BATCHING = "max_batch_size { value: 64 } max_enqueued_batches { value: 100 } num_batch_threads { value: 1 }"
_NAME = "digits"
_START_SECONDS = 120

Ask = Callable[[], Awaitable[None]]


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("requests", 10000, "Requests per contender and round.", 1, 10_000_000, flag_values=values)
    flags.DEFINE_integer(
        "clients", 32, "Clients, each of which has one request under way.", 1, 1000, flag_values=values
    )
    rounds.define_rounds(values, 3)


def main(values: flags.FlagValues) -> None:
    quiet.import_tensorflow()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        _export(os.path.join(folder, _NAME))
        file = os.path.join(folder, "batching.txt")
        with open(file, "w", encoding="utf-8") as opened:
            opened.write(_BATCHING)
        measures = {}
        for suffix, more in (("", []), (" batched", ["--enable_batching", f"--batching_parameters_file={file}"])):
            server = stack.enter_context(_server(os.path.join(folder, _NAME), more))
            for port, clients in (("gRPC", _grpc_clients), ("REST", _rest_clients)):
                measures[port + suffix] = functools.partial(_measure, server, clients, values.clients, values.requests)
        measured = rounds.interleaved(measures, values.rounds + 1)
    print(f"{values.requests:,} requests of {values.clients} clients; {rounds.title()}")
    counted = {name: rows[1:] for name, rows in measured.items()}
    rounds.show(counted, _COLUMNS)
    for port in ("gRPC", "REST"):
        pair = {name: counted[name] for name in (f"{port} batched", port)}
        ratios = [a[0] / b[0] for a, b in zip(*pair.values(), strict=True)]
        print(
            f"  {' / '.join(pair)}: requests/s {statistics.median(ratios):.2f} [{min(ratios):.2f} .. {max(ratios):.2f}]"
        )


def _export(place: str) -> None:
    """Exports the untrained CNN, without the checks of an export, which are not the subject here."""
    import tensorflow as tf

    from tf2cases.cases import MNIST

    info = {"image_shape": [28, 28, 1], "class_names": list("0123456789")}
    case = MNIST(MNIST.Config(model="cnn", steps=1, epochs=None), info)
    module = tf.Module()
    module.variables_of_the_case = case.variables
    tf.saved_model.save(
        module, os.path.join(place, "1"), signatures={"serving_default": case.signatures()["serving_default"]}
    )


class _Server:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen, grpc_port: int, rest_port: int):
        self.process, self.grpc_port, self.rest_port = process, grpc_port, rest_port

    def cpu_seconds(self) -> float:
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def mebibytes(self) -> float:
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            (line,) = (line for line in file if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextlib.contextmanager
def _server(base_path: str, more: list[str]) -> Iterator[_Server]:
    grpc_port, rest_port = _free_ports(2)
    command = [sys.executable, "-m", "bin.serve", f"--model_name={_NAME}", f"--model_base_path={base_path}"]
    command += [f"--port={grpc_port}", f"--rest_api_port={rest_port}", *more]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            end = time.monotonic() + _START_SECONDS
            while not _listens(rest_port):
                if process.poll() is not None or time.monotonic() > end:
                    said.seek(0)
                    raise RunError(f"the server has not started: {said.read().decode(errors='replace')[-500:]}")
                time.sleep(0.1)
            yield _Server(process, grpc_port, rest_port)
        finally:
            process.terminate()
            process.wait()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [opened.getsockname()[1] for opened in sockets]


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _measure(server: _Server, clients: Callable, count: int, requests: int) -> rounds.Numbers:
    """Sends requests; returns the numbers of `_COLUMNS`."""

    async def run() -> tuple[float, list[float]]:
        times: list[float] = []
        left = iter(range(requests))

        async def client(ask: Ask) -> None:
            for _ in left:
                start = time.perf_counter()
                await ask()
                times.append(time.perf_counter() - start)

        async with clients(server, count) as asks:
            start = time.perf_counter()
            await asyncio.gather(*map(client, asks))
            return time.perf_counter() - start, times

    used = server.cpu_seconds()
    seconds, times = asyncio.run(run())
    used = server.cpu_seconds() - used
    p50, p95, p99 = (1000 * float(np.percentile(times, part)) for part in (50, 95, 99))
    return requests / seconds, p50, p95, p99, 1000 * used / requests, server.mebibytes()


def _digit() -> np.ndarray:
    return np.random.default_rng(0).random([1, 28, 28, 1]).astype(np.float32)


@contextlib.asynccontextmanager
async def _grpc_clients(server: _Server, count: int) -> Any:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = _NAME
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(_digit()))
    content = request.SerializeToString()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

        async def ask() -> None:
            await call(content)  # a status other than OK raises

        yield [ask] * count


@contextlib.asynccontextmanager
async def _rest_clients(server: _Server, count: int) -> Any:
    body = json.dumps({"instances": _digit().round(3).tolist()}).encode()
    head = f"POST /v1/models/{_NAME}:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    content = head.encode() + body
    connections = [await asyncio.open_connection("127.0.0.1", server.rest_port) for _ in range(count)]

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        answer = await reader.readuntil(b"\r\n\r\n")
        (length,) = (
            int(line.split(b":")[1]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-l")
        )
        text = await reader.readexactly(length)
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RunError(f"a request failed: {text.decode(errors='replace')}")

    yield [functools.partial(ask, *connection) for connection in connections]
    for _, writer in connections:
        writer.close()
