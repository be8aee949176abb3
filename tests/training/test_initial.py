"""Runs that start from the weights of another."""

import numpy as np
import pytest

from tf2cases import cases, training
from tf2cases.cases.linear_regression import LinearRegression
from tf2cases.cases.mnist import MNIST
from tf2cases.errors import UsageError


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory):
    """A finished run of two steps, in `first`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("runs"))
        train("first", learning_rate=0.01)
        yield


def train(workdir, **fields):
    given = {"dataset": "mnist_sample", "model": "mlp", "steps": 2, "checkpoint_every": 1, "eval_every": 9, **fields}
    return training.train(MNIST, MNIST.Config.resolve({"workdir": workdir, "export_dir": "", **given}))


def weights(workdir, step=None):
    return [v.numpy() for v in cases.restore(workdir, step).network.variables]


def test_the_first_step_starts_from_the_weights_of_the_other_run(capsys):
    """A learning rate of almost 0 leaves the weights as they start."""
    train("second", init_from="first", steps=1, learning_rate=1e-30, seed=5)
    assert "6 variables start from first, step 2.\n" in capsys.readouterr().out
    for mine, theirs in zip(weights("second"), weights("first"), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-29)
    train("third", steps=1, learning_rate=1e-30, seed=5)
    assert not np.array_equal(weights("third")[1], weights("first")[1])


def test_counters_and_optimizers_start_anew():
    result = train("fresh", init_from="first", steps=1)
    assert result.step == 1
    assert int(result.case.optimizer.iterations) == 1


def test_a_resumed_run_does_not_start_from_the_other_run_again():
    train("whole", init_from="first", steps=3)
    train("parts", init_from="first", steps=1)
    train("parts", init_from="first", steps=3)
    for whole, parts in zip(weights("whole"), weights("parts"), strict=True):
        np.testing.assert_array_equal(whole, parts)


def test_a_run_may_start_over_from_its_own_weights():
    train("again", steps=1)
    before = weights("again")
    train("again", steps=1, learning_rate=1e-30, init_from="again", overwrite=True)
    for mine, theirs in zip(weights("again"), before, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-29)


def test_the_run_in_the_workdir_itself_is_refused_with_the_ways_that_there_are():
    train("itself", steps=1)
    message = r"^--init_from is '\./itself', which is the run in --workdir itself; leave it out to resume that run, use"
    with pytest.raises(UsageError, match=message):
        train("itself", steps=1, init_from="./itself")
    train("itself", steps=1, init_from="itself", overwrite=True)
    assert train("itself", steps=2, init_from="itself").step == 2


def test_an_average_that_the_other_run_does_not_have_starts_as_a_copy(capsys):
    result = train("averaged", init_from="first", steps=1, learning_rate=1e-30, ema=0.9)
    assert "6 variables start from first, step 2.\n" in capsys.readouterr().out
    for mine, theirs in zip(result.case.average.network.variables, weights("first"), strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-6, atol=1e-29)


def test_variables_of_another_shape_keep_their_own_values(capsys):
    """The two models of digits have nothing in common but the classes of their last layers, which have other inputs."""
    message = (
        r"^--init_from is 'first', a run of mnist_mlp_mnist_sample, but none of its variables has the name and shape "
        r"of one of mnist_cnn_mnist_sample; it must be a run of the same model\.$"
    )
    with pytest.raises(UsageError, match=message):
        train("cnn", init_from="first", model="cnn", steps=1)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("nothing", r"^--init_from is 'nothing', but there is no run in it \(nothing/config\.json is missing\)\.$"),
        ("first", r"^--init_from is 'first', but its run is of the case 'mnist', not 'linear_regression'\.$"),
    ],
)
def test_a_run_that_does_not_fit_is_refused(run, message):
    config = LinearRegression.Config.resolve({"workdir": "houses", "init_from": run})
    with pytest.raises(UsageError, match=message):
        training.train(LinearRegression, config)


def test_resuming_without_the_flag_is_refused():
    train("resumed", init_from="first", steps=1)
    with pytest.raises(
        UsageError, match=r"^--init_from was not given, but the run in --workdir=resumed was started with "
    ):
        train("resumed", steps=2)


@pytest.mark.parametrize("fields", [{"steps": 1}, {"steps": None, "epochs": 0.03}])
def test_a_run_that_has_passed_the_steps_asked_for_is_refused_and_stays(fields):
    train("long", steps=2)
    asked = "--steps is 1" if fields["steps"] else "--epochs is 0.03"
    message = (
        rf"^{asked}, but the run in --workdir=long has completed 2 steps, more than the 1 that are asked for; it mus"
    )
    with pytest.raises(UsageError, match=message):
        train("long", **fields)
    assert train("long", steps=2).step == 2
    assert train("long", overwrite=True, steps=1).step == 1
