"""The benchmark program measures every contender and refuses what it does not know."""

import re

import pytest

from bin import benchmark, common


def run(*flags):
    with pytest.raises(SystemExit) as exit_:
        common.run(benchmark.__doc__, benchmark.define, benchmark.main, ["benchmark.py", *flags])
    return exit_.value.code or 0


def test_the_mlp_is_measured_against_keras_in_rounds(capsys):
    assert run("--cases=mnist_mlp", "--rounds=2", "--seconds=0.1") == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"round [12]/2: tf2cases [\d,]+, keras [\d,]+, keras\+xla [\d,]+", out)) == 2
    assert re.search(r"tf2cases / keras(\+xla)?: \d+\.\d\d \[\d+\.\d\d \.\. \d+\.\d\d\]", out)


def test_every_benchmark_trains_the_parameters_that_its_rival_has():
    for name, item in benchmark.BENCHMARKS.items():
        model, _ = item.keras_model()
        case = item.case_class(item.case_class.Config(**item.flags, steps=1, epochs=None), item.info)
        ours = sum(v.shape.num_elements() for v in case.trainable_variables)
        assert ours == sum(int(w.value.shape.num_elements()) for w in model.trainable_weights), name


def test_an_unknown_case_is_refused(capsys):
    assert run("--cases=mnist_mlp,chess") == 2
    assert "--cases has 'chess', but must be of mnist_mlp, mnist_cnn." in capsys.readouterr().err
