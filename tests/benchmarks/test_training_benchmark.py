"""The benchmark program measures every contender and refuses what it does not know."""

import functools
import importlib.util
import json
import re
import statistics

import numpy as np
import pytest
from program_call import exit_status

from tf2cases.benchmarks import contender, steps, training
from tf2cases.benchmarks.keras_rivals import RIVALS
from tf2cases.data import pipeline, sources
from tf2cases.errors import RunError
from tf2cases.programs import benchmark

run = functools.partial(exit_status, benchmark, "training")


def test_a_case_is_measured_against_keras_in_rounds(capsys, tmp_path):
    log = tmp_path / "log.jsonl"
    assert run("--cases=vae", "--rounds=2", "--seconds=0.1", f"--log={log}") == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"round [12]/2: tf2cases [\d,]+, keras [\d,]+, keras\+xla [\d,]+", out)) == 2
    assert re.search(r"tf2cases / keras(\+xla)?: ratio \d+\.\d\d \[\d+\.\d\d \.\. \d+\.\d\d\]", out)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["contender"], line["round"]) for line in lines] == [
        (name, number) for name in ("tf2cases", "keras", "keras+xla") for number in (1, 2)
    ]
    assert len({line["parameters"] for line in lines}) == 1
    assert {line["batch_size"] for line in lines} == {100}
    for line in lines:
        assert min(line[key] for key in ("rate", "cpu_ms", "peak_mb", "import_seconds", "first_step_seconds")) > 0
        assert "tensorflow" in line["versions"]


def test_an_unknown_peer_is_refused(capsys):
    assert run("--cases=vae", "--against=mxnet") == 2
    assert "--against has 'mxnet', but must be one or more of keras, torch, jax." in capsys.readouterr().err


def test_a_peer_that_is_not_installed_is_left_out_with_a_line(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jax" else object())
    asked = []

    def compare(job, contenders, count, seconds):
        asked.extend(contenders)
        row = {"rate": 1000.0, "cpu_ms": 1.0, "seconds": 1.0, "peak_mb": 100.0}
        return {"tf2cases": {"import_seconds": 2.0, "first_step_seconds": 3.0}}, {"tf2cases": [row]}

    monkeypatch.setattr(training, "compare", compare)
    assert run("--cases=vae", "--against=jax") == 0
    assert asked == [("tf2cases", "")]
    out = capsys.readouterr().out
    assert "jax is left out: jax is not installed (pip install 'tf2cases[peers]')." in out
    assert "import 2.0 s  first step 3.0 s  memory 100 MiB" in out


def test_a_contender_that_fails_is_named_with_its_error():
    job = {"case": "vae", "precision": "float32", "batch_size": 100, "peer": "nobody", "mode": ""}
    with pytest.raises(RunError, match=r"^nobody  failed on vae: KeyError: 'nobody'$"), training._Process(job):
        pass


def test_the_interval_holds_the_median_and_is_a_point_for_equal_ratios():
    assert training.interval([1.5] * 5) == (1.5, 1.5)
    ratios = list(np.random.default_rng(0).normal(1.2, 0.1, 9))
    low, high = training.interval(ratios)
    assert min(ratios) <= low < statistics.median(ratios) < high <= max(ratios)


def test_every_benchmark_trains_the_parameters_that_its_rival_has():
    for name, rival in RIVALS.items():
        model, _ = rival.model()
        ours = sum(v.shape.num_elements() for v in contender.case(name).make().trainable_variables)
        assert ours == sum(int(w.value.shape.num_elements()) for w in model.trainable_weights), name


@pytest.mark.parametrize("peer", ["torch", "jax"])
def test_the_networks_of_other_peers_train_and_have_the_same_parameters(peer):
    pytest.importorskip(peer)
    rivals = importlib.import_module(f"tf2cases.benchmarks.{peer}_rivals")
    for name in rivals.CASES:
        case = contender.case(name)
        options = ["float32", False] if peer == "torch" else ["float32"]
        fit = rivals.Fit(name, *RIVALS[name].data(case.arrays(4)), 2, *options)
        assert fit.parameters == sum(v.shape.num_elements() for v in case.make().trainable_variables), name
        assert fit.run(2) == 4


def test_the_vaes_rival_has_the_same_loss():
    rival, case = RIVALS["vae"], steps.CASES["vae"].make()
    model, _ = rival.model()
    network = case.network
    pairs = [
        (model.hidden, network.encoder.layers[-1]),
        (model.mean, network.mean),
        (model.log_variance, network.log_variance),
        (model.decoder_hidden, network.decoder.layers[0]),
        (model.logits, network.decoder.layers[1]),
    ]
    for theirs, ours in pairs:
        theirs.set_weights([ours.kernel.numpy(), ours.bias.numpy()])
    images = sources.load("mnist_sample").test["images"]
    x, _ = rival.data({"images": images})
    model(x)
    expected = float(sum(model.losses))
    # Other noise, but a thousand examples.
    found = case.evaluate(pipeline.in_order({"images": images}, 500))
    assert found["negative_elbo"] == pytest.approx(expected, rel=2e-3)
