"""The benchmark program measures every contender and refuses what it does not know."""

import functools
import re

import pytest
from program_call import exit_status

from tf2cases.benchmarks import steps
from tf2cases.benchmarks.keras_rivals import RIVALS
from tf2cases.data import pipeline, sources
from tf2cases.programs import benchmark

run = functools.partial(exit_status, benchmark, "training")


@pytest.mark.parametrize("name", ["mnist_mlp", "vae"])
def test_a_case_is_measured_against_keras_in_rounds(name, capsys):
    assert run(f"--cases={name}", "--rounds=2", "--seconds=0.1") == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"round [12]/2: tf2cases [\d,]+, keras [\d,]+, keras\+xla [\d,]+", out)) == 2
    assert re.search(r"tf2cases / keras(\+xla)?: examples/s \d+\.\d\d \[\d+\.\d\d \.\. \d+\.\d\d\]", out)


def test_every_benchmark_trains_the_parameters_that_its_rival_has():
    for name, rival in RIVALS.items():
        model, _ = rival.model()
        ours = sum(v.shape.num_elements() for v in steps.CASES[name].make().trainable_variables)
        assert ours == sum(int(w.value.shape.num_elements()) for w in model.trainable_weights), name


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
