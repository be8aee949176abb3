"""The rows of a card's speed, on a CPU and in small."""

import functools
import json
import time
import types

import pytest
import tensorflow as tf
from program_call import exit_status

from tf2cases import cases
from tf2cases.benchmarks import gpu, steps
from tf2cases.errors import RunError
from tf2cases.programs import benchmark

run = functools.partial(exit_status, benchmark, "gpu", "--small", "--seconds=0.05")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    tf.config.experimental.enable_tensor_float_32_execution(True)


@pytest.fixture
def quick(monkeypatch):
    """Nothing is computed: every row has the same rate."""
    answer = {"rate": 8.0, "unit": "examples/s", "seconds": 2.0}
    monkeypatch.setattr(gpu.gc, "collect", lambda: None)
    for name in ("_multiply", "_train", "_infer"):
        monkeypatch.setattr(gpu, name, lambda *arguments: dict(answer))


def rows():
    with open("rows.jsonl") as file:
        return [json.loads(line) for line in file]


def test_a_case_is_trained_and_asked_in_every_way(capsys):
    assert run("--cases=mnist_mlp", "--out=rows.jsonl") == 0
    found = rows()[1:]
    assert [row["error"] for row in found] == [None] * len(found)
    assert all(row["rate"] > 0 and row["seconds"] > 0 for row in found)
    assert {row["unit"] for row in found} == {"TFLOP/s", "examples/s"}
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(found)


def test_rows_come_in_order_of_importance(quick):
    assert run("--out=rows.jsonl") == 0
    found = rows()
    assert [row["what"] for row in found[:4]] == ["machine", "product", "product", "product"]
    assert {"device", "compute_capability", "tensorflow", "cuda", "cudnn"} <= set(found[0])
    assert [row["precision"] for row in found[1:4]] == ["float32 (TF32)", "float32", "bfloat16"]
    training = [row for row in found if row["what"] == "training step"]
    ways = [("float32 (TF32)", False), ("float32 (TF32)", True), ("bfloat16", False), ("bfloat16", True)]
    assert [(row["precision"], row["jit"]) for row in training[:4]] == ways
    assert [row["case"] for row in training[: 4 * len(gpu.CASES) : 4]] == list(gpu.CASES)
    assert [row["precision"] for row in training[4 * len(gpu.CASES) :: 2]] == (
        ["float16"] * len(gpu.CASES) + ["float32"] * len(gpu.CASES)
    )
    inference = [row for row in found if row["what"] == "inference"]
    assert found.index(inference[0]) == found.index(training[0]) + 4 * len(gpu.CASES)
    assert [row["case"] for row in inference[::2]] == [*gpu.CASES, "inception_v3"]


def test_a_row_that_fails_keeps_its_reason_and_stops_nothing(quick, monkeypatch, capsys):
    def fail(name, *arguments):
        raise tf.errors.ResourceExhaustedError(None, None, f"{name} is too large")

    monkeypatch.setattr(gpu, "_train", fail)
    assert run("--cases=vae", "--out=rows.jsonl") == 0
    assert [row["error"] for row in rows()[3:9]] == [None, *["vae is too large"] * 4, None]
    line = "vae, training step, bfloat16, XLA on, batch 4: failed: vae is too large\n"
    assert line in capsys.readouterr().out


def test_tf32_is_off_where_the_row_says_so(quick, monkeypatch):
    seen = []

    def multiply(size, dtype, seconds):
        seen.append((dtype, tf.config.experimental.tensor_float_32_execution_enabled()))
        return {"rate": 1.0, "unit": "TFLOP/s", "seconds": 1.0}

    monkeypatch.setattr(gpu, "_multiply", multiply)
    assert run("--cases=vae") == 0
    assert seen == [("float32", True), ("float32", False), ("bfloat16", True)]


def test_no_row_starts_when_the_minutes_are_over(quick, monkeypatch, capsys):
    clock = iter(range(0, 1000, 25))
    # In the benchmark alone: other threads ask the time, too.
    monkeypatch.setattr(gpu, "time", types.SimpleNamespace(**vars(time) | {"monotonic": lambda: next(clock)}))
    assert run("--minutes=1", "--out=rows.jsonl") == 0
    assert len(rows()) == 2  # at 25 and 50 seconds
    assert "Stopped after 1 min; 84 of 86 rows were not measured." in capsys.readouterr().out


@pytest.mark.parametrize("name", steps.CASES)
def test_every_case_can_be_made_on_its_random_data(name):
    measured = steps.CASES[name]
    case, arrays = measured.make(), measured.arrays(2)
    batch = {key: tf.constant(array) for key, array in case.prepare(arrays).items()}
    assert set(case.train_step(batch)) == set(case.metric_names)
    assert measured.case in cases.REGISTRY


def test_steps_that_were_not_made_are_not_timed():
    with pytest.raises(RunError, match="the metrics became infinite or NaN"):
        steps.Steps(steps.CASES["mnist_mlp"], None, batch_size=4, learning_rate=1e30)


def test_a_batch_that_stays_on_the_device_is_the_same_at_every_step():
    arrays = steps.CASES["mnist_mlp"].arrays(3)
    batches = steps._SameBatch(arrays)
    for step in (0, 7):
        for name, tensor in batches.batch(tf.constant(step)).items():
            assert (tensor.numpy() == arrays[name]).all()
