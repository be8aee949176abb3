"""The loop under tf.distribute: two replicas on two logical CPU devices."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tf2cases.cases import MNIST, LinearRegression
from tf2cases.data import sources
from tf2cases.data.source import Source
from tf2cases.errors import UsageError
from tf2cases.training import distribution


@pytest.fixture(autouse=True)
def needs_two_devices():
    assert len(tf.config.list_logical_devices("CPU")) == 2


@pytest.fixture
def few_digits(monkeypatch):
    """The embedded digits, with 100 to test."""
    full = sources.load("mnist_sample")
    test = {k: a[:100] for k, a in full.test.items()}
    monkeypatch.setattr(
        MNIST, "load", lambda config: Source("mnist_sample", {"train": full.train, "test": test}, full.info)
    )


def train_on_both(runs, case, **given):
    for strategy in ("single", "mirrored"):
        runs.train(case, strategy, strategy=strategy, log_every=1, **given)
    return runs.losses("single"), runs.losses("mirrored")


def test_the_cnn_without_dropout_has_the_same_losses_on_two_replicas_over_50_steps(runs, few_digits):
    single, mirrored = train_on_both(runs, MNIST, model="cnn", dropout=False, steps=50, batch_size=32)
    assert len(single) == 50
    assert single[-1] < 0.5 * single[0]
    np.testing.assert_allclose(mirrored, single, atol=1e-4, rtol=0)


def test_dropout_augmentation_clipping_and_averaging_are_those_of_the_global_batch(runs, few_digits):
    options = dict(augment=True, clip_norm=1.0, ema=0.9, schedule="cosine")
    single, mirrored = train_on_both(runs, MNIST, model="cnn", steps=5, batch_size=32, **options)
    np.testing.assert_allclose(mirrored, single, atol=1e-4, rtol=0)
    evaluations = [runs.records(name, "eval")[-1]["values"]["loss"] for name in ("single", "mirrored")]
    assert evaluations[1] == pytest.approx(evaluations[0], abs=1e-4)


def test_gradient_descent_by_hand_has_the_same_weights_on_two_replicas(runs):
    train_on_both(runs, LinearRegression, steps=30, batch_size=46)
    values = [runs.records(name, "eval")[-1]["values"] for name in ("single", "mirrored")]
    assert values[1] == pytest.approx(values[0], rel=1e-5, abs=1e-6)


def test_masks_of_the_global_batch_and_all_metrics_agree(runs, toy):
    train_on_both(runs, toy, steps=12, batch_size=6)
    single, mirrored = (runs.records(name, "train") for name in ("single", "mirrored"))
    for one, two in zip(single, mirrored, strict=True):
        assert two["values"] == pytest.approx(one["values"], rel=1e-5)


def test_a_run_goes_on_under_another_strategy(runs, toy):
    single, _ = train_on_both(runs, toy, steps=12, batch_size=6)
    for first, second in (("single", "mirrored"), ("mirrored", "single")):
        name = f"{first} then {second}"
        runs.train(toy, name, strategy=first, steps=5, log_every=1, batch_size=6)
        runs.train(toy, name, strategy=second, steps=12, log_every=1, batch_size=6)
        np.testing.assert_allclose(runs.losses(name), single, rtol=1e-5)


def test_a_step_is_traced_once_for_each_replica(runs, toy):
    runs.train(toy, strategy="mirrored", batch_size=6, steps=12, log_every=3, checkpoint_every=5)
    assert toy.executions == 2


def test_batches_that_are_read_are_split_as_well(runs, toy, monkeypatch):
    runs.train(toy, "memory", strategy="mirrored", batch_size=6, steps=8)
    monkeypatch.setattr("tf2cases.data.pipeline.IN_MEMORY_LIMIT", 0)
    runs.train(toy, "read", strategy="mirrored", batch_size=6, steps=8)
    runs.assert_identical("read", "memory")


def test_each_replica_takes_its_rows_of_the_global_batch(two_replicas):
    batch = {"a": tf.range(6), "b": tf.reshape(tf.range(12), [6, 2])}
    rows = tf.function(lambda: distribution.split(two_replicas, batch))()
    locals_ = {name: two_replicas.experimental_local_results(value) for name, value in rows.items()}
    np.testing.assert_array_equal(np.concatenate(locals_["a"]), np.arange(6))
    assert [part.shape.as_list() for part in locals_["b"]] == [[3, 2], [3, 2]]
    np.testing.assert_array_equal(np.concatenate(locals_["b"]), np.arange(12).reshape(6, 2))


def test_a_batch_size_that_cannot_be_divided_is_refused(runs, toy):
    message = r"^--batch_size is 5, but must be divisible by the number of replicas, which is 2\.$"
    with pytest.raises(UsageError, match=message):
        runs.train(toy, strategy="mirrored", batch_size=5)
    assert not (runs.path / "run").exists()  # so the corrected command starts there


def test_compiling_with_replicas_is_refused_and_auto_leaves_it(runs, toy):
    message = r"^--jit is 'on', but must be 'off' or 'auto' with 2 replicas\.$"
    with pytest.raises(UsageError, match=message):
        runs.train(toy, strategy="mirrored", batch_size=6, jit="on")
    toy.compile_on = staticmethod(lambda device_type, config: True)
    assert runs.train(toy, strategy="mirrored", batch_size=6, steps=3).step == 3


def test_several_workers_need_tf_config(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    message = r"^--strategy is 'multi_worker', but the environment variable TF_CONFIG is not set; it must hold the "
    with pytest.raises(UsageError, match=message):
        distribution.make("multi_worker")


@pytest.mark.parametrize("config", ["{", "[]", '{"cluster": 3}', '{"task": {}}'])
def test_a_malformed_tf_config_is_refused(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UsageError, match=r"^TF_CONFIG is .*, but must be JSON with the cluster's addresses and a task"):
        distribution.make("auto")


def test_several_workers_are_refused_in_one_sentence(monkeypatch):
    cluster = {"worker": ["localhost:1", "localhost:2"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
    with pytest.raises(UsageError, match=r"^TF_CONFIG names 2 workers, but must name one: training on several is not "):
        distribution.make("multi_worker")


@pytest.mark.parametrize("strategy", ["auto", "multi_worker"])
def test_one_worker_trains_like_a_single_device(repo, tmp_path, runs, strategy):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = {"cluster": {"worker": [f"127.0.0.1:{port}"]}, "task": {"type": "worker", "index": 0}}
    flags = ["--dataset=mnist_sample", "--model=mlp", "--steps=6", "--log_every=1", "--export_dir="]
    for name, environment in (("single", {}), (strategy, {"TF_CONFIG": json.dumps(cluster)})):
        command = [
            sys.executable,
            "-m",
            "bin.train_mnist",
            *flags,
            f"--workdir={runs.path / name}",
            f"--strategy={name}",
        ]
        done = subprocess.run(command, cwd=repo, env={**os.environ, **environment}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(runs.losses(strategy), runs.losses("single"), rtol=1e-5)


def test_auto_is_a_single_device_without_gpus(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if tf.config.list_logical_devices("GPU"):
        pytest.skip("this machine has GPUs")
    assert distribution.make("auto").num_replicas_in_sync == 1
    assert distribution.make("single").num_replicas_in_sync == 1
    assert distribution.make("mirrored").num_replicas_in_sync == 2
