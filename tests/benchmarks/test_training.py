"""The benchmark program measures every contender and refuses what it does not know."""

import functools
import re

import pytest
from program_call import exit_status

from tf2cases.benchmarks import training as benchmark
from tf2cases.data import pipeline, sources

run = functools.partial(exit_status, benchmark)


@pytest.mark.parametrize("name", ["mnist_mlp", "vae"])
def test_a_case_is_measured_against_keras_in_rounds(name, capsys):
    assert run(f"--cases={name}", "--rounds=2", "--seconds=0.1") == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"round [12]/2: tf2cases [\d,]+, keras [\d,]+, keras\+xla [\d,]+", out)) == 2
    assert re.search(r"tf2cases / keras(\+xla)?: \d+\.\d\d \[\d+\.\d\d \.\. \d+\.\d\d\]", out)


def test_every_benchmark_trains_the_parameters_that_its_rival_has():
    for name, item in benchmark.BENCHMARKS.items():
        model, _ = item.keras_model()
        case = item.case_class(item.case_class.Config(**item.flags, steps=1, epochs=None), item.info)
        ours = sum(v.shape.num_elements() for v in case.trainable_variables)
        assert ours == sum(int(w.value.shape.num_elements()) for w in model.trainable_weights), name


def test_the_vaes_rival_has_the_same_loss():
    item = benchmark.BENCHMARKS["vae"]
    model, _ = item.keras_model()
    case = item.case_class(item.case_class.Config(**item.flags, steps=1, epochs=None), item.info)
    network = case.network
    pairs = [
        (model.hidden, network.encoder.layers[-1]), (model.mean, network.mean),
        (model.log_variance, network.log_variance), (model.decoder_hidden, network.decoder.layers[0]),
        (model.logits, network.decoder.layers[1]),
    ]  # fmt: skip
    for theirs, ours in pairs:
        theirs.set_weights([ours.kernel.numpy(), ours.bias.numpy()])
    images = sources.load("mnist_sample").test["images"]
    x, _ = item.keras_data({"images": images})
    model(x)
    expected = float(sum(model.losses))
    # Other noise, but a thousand examples.
    found = case.evaluate(pipeline.in_order({"images": images}, 500))
    assert found["negative_elbo"] == pytest.approx(expected, rel=2e-3)


def test_an_unknown_case_is_refused(capsys):
    assert run("--cases=mnist_mlp,chess") == 2
    assert (
        "--cases has 'chess', but must be of mnist_mlp, mnist_cnn, vae, autoencoder, dcgan_digits, dcgan_faces."
        in capsys.readouterr().err
    )
