"""Many clients at once, while versions and configs change; and requests made of noise."""

import concurrent.futures
import os
import random
import shutil
import threading
import time

import grpc
import models
import numpy as np
import pytest
from running import predict_request, serving

from tf2cases.server.errors import Code


def resident():
    """This process's memory, in MiB."""
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def ask_for(server, stopped, wanted, name="m"):
    """Asks over both ports until it is stopped; returns how many answers there were."""
    count = 0
    while not stopped.is_set():
        value = float(count % 100)
        if count % 2:
            got = server.predict({"x": np.float32([value])}, name).outputs["y"].float_val[0]
        else:
            (got,) = server.post(f"{name}:predict", {"instances": [value]})["predictions"]
        assert got - value / 2 in wanted, got
        count += 1
    return count


def under_load(server, change, clients=8, **arguments):
    """Makes changes while clients ask; no request may fail. Returns the number of answers."""
    stopped = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(clients) as executor:
        asking = [executor.submit(ask_for, server, stopped, **arguments) for _ in range(clients)]
        try:
            change()
        finally:
            stopped.set()
        return sum(future.result() for future in asking)


@pytest.mark.parametrize("batching", [False, True])
def test_no_request_fails_while_versions_and_the_config_change(half_plus_two, half_plus_three, tmp_path, batching):
    base, file = str(tmp_path / "m"), tmp_path / "models.config"
    models.add_version(half_plus_two, base, 1)

    def write(more):
        entry = f"config {{ name: 'm' base_path: '{base}' model_platform: 'tensorflow' {more} }}"
        temporary = tmp_path / "new"
        temporary.write_text(f"model_config_list {{ {entry} }}")
        os.rename(temporary, file)

    write("")
    options = dict(config_file=str(file), poll_seconds=0.05, config_poll_seconds=0.05, batching=batching)
    with serving(**options) as server:

        def change():
            for number in range(2, 8):
                models.add_version(half_plus_three if number % 2 else half_plus_two, base, number)
                server.wait(lambda n=number: server.states("m").get(n) == "AVAILABLE")
                shutil.rmtree(os.path.join(base, str(number - 1)))
                write(f"model_version_policy {{ latest {{ num_versions: {1 + number % 2} }} }}")
            server.wait(lambda: server.states("m")[1] == "END")

        assert under_load(server, change, wanted=(2, 3)) > 50


def test_a_batch_of_64_with_a_spoiled_and_a_cancelled_request_gives_62_answers(zoo, tmp_path):
    models.add_version(zoo, str(tmp_path / "m"), 1)
    file = tmp_path / "batching.txt"
    file.write_text("max_batch_size { value: 64 } num_batch_threads { value: 1 }")
    with serving(base_path=str(tmp_path / "m"), batching=True, batching_file=str(file)) as server:
        busy = server.prediction.Predict.future(predict_request({"x": np.float32([3e5])}, signature="slow"), 60)
        time.sleep(0.1)
        values = [-1.0 if i == 20 else float(i + 1) for i in range(64)]
        requests = [predict_request({"x": np.float32([value])}, signature="positive") for value in values]
        futures = [server.prediction.Predict.future(request, 60) for request in requests]
        time.sleep(0.1)
        futures[40].cancel()
        busy.result()
        right = 0
        for i, future in enumerate(futures):
            if i == 40:
                assert future.cancelled()
            elif i == 20:
                assert future.exception().code() == grpc.StatusCode.INVALID_ARGUMENT
                assert "x must be positive" in future.exception().details()
            else:
                right += future.result().outputs["root"].float_val[0] == pytest.approx(np.sqrt(values[i]))
        assert right == 62


def noise(rng, request):
    """A request with some bytes changed, cut or added."""
    content = bytearray(request)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(content) + 1)
        kind = rng.randrange(3)
        if kind == 0 and place < len(content):
            content[place] = rng.randrange(256)
        elif kind == 1:
            content[place:place] = rng.randbytes(rng.randint(1, 4))
        else:
            del content[place : place + rng.randint(1, 4)]
    return bytes(content)


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_noise_on_the_grpc_port_is_answered_as_the_clients_fault(server, count):
    rng, codes = random.Random(0), set()
    fine = [
        predict_request({"x": np.float32([1, 2])}, "zoo").SerializeToString(),
        predict_request({"words": np.array([b"a", b"b"], object)}, "zoo", signature="strings").SerializeToString(),
        predict_request({"start": np.float32(1), "count": np.int32(2)}, "zoo", "scalars").SerializeToString(),
    ]
    methods = [f"PredictionService/{name}" for name in ("Predict", "Classify", "Regress", "MultiInference")]
    methods += ["PredictionService/GetModelMetadata", "ModelService/GetModelStatus"]
    calls = [server.channel.unary_unary(f"/tensorflow.serving.{name}") for name in methods]
    before = resident()
    for i in range(count):
        call = calls[0] if i % 2 else rng.choice(calls)
        try:
            call(noise(rng, rng.choice(fine)), 30)
        except grpc.RpcError as error:
            codes.add(Code[error.code().name])
    faults = {Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.FAILED_PRECONDITION, Code.UNIMPLEMENTED, Code.OUT_OF_RANGE}
    assert codes <= faults, codes
    assert resident() - before < 300
    assert list(server.predict({"x": np.float32([1])}, "zoo").outputs["y"].float_val) == [2]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_requests(half_plus_two, tmp_path):
    models.add_version(half_plus_two, str(tmp_path / "m"), 1)
    with serving(base_path=str(tmp_path / "m")) as server:
        request = predict_request({"x": np.float32([1])})

        def ask(count):
            with concurrent.futures.ThreadPoolExecutor(8) as executor:
                for future in [executor.submit(ask_some, count // 8) for _ in range(8)]:
                    future.result()

        def ask_some(count):
            for i in range(count):
                server.prediction.Predict(request, 60)
                if i % 10 == 0:
                    server.post("default:predict", {"instances": [1.0]})

        ask(5000)
        before = resident()
        ask(45000)
        assert resident() < 1.1 * before


@pytest.mark.slow
def test_versions_that_come_and_go_leave_no_memory_behind(zoo, tmp_path):
    base = str(tmp_path / "m")
    models.add_version(zoo, base, 1)
    with serving(base_path=base, poll_seconds=0.02) as server:
        sizes = []
        for number in range(2, 62):
            models.add_version(zoo, base, number)
            server.wait(lambda n=number: server.states().get(n) == "AVAILABLE" and server.states()[n - 1] == "END")
            sizes.append(resident())
        assert sizes[-1] < 1.1 * sizes[19]
