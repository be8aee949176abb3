"""A small case, and what tests of the loop do with runs."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from tf2cases import configs, nn, training
from tf2cases.configs import field
from tf2cases.data.source import Source
from tf2cases.training import checkpoints, loop, steps


@dataclasses.dataclass(frozen=True)
class ToyConfig(configs.OptimizerConfig):
    case = "toy"
    dataset: str = field("toy", "The data set.")
    epochs: float | None = field(2, "Epochs.", above=0, numeric=False)
    batch_size: int | None = field(5, "Batch.", minimum=1)
    learning_rate: float = field(0.05, "Rate.", above=0)


class Toy(training.Case):
    """A linear model of 22 examples with a random mask on its inputs, learnt by Adam."""

    Config = ToyConfig
    metric_names = ("loss", "size")
    executions = 0  # how often Python ran train_step, in a test's own subclass

    def __init__(self, config, info):
        super().__init__(config, info)
        self.weights = tf.Variable(nn.random.normal([3], nn.random.at_step(config.seed, 0)), name="weights")
        self.optimizer = nn.Adam([self.weights], **self.optimizer_options())

    @classmethod
    def load(cls, config):
        rng = np.random.RandomState(0)
        features = rng.normal(size=[22, 3]).astype(np.float32)
        arrays = {"features": features, "targets": features @ np.array([1.0, -2.0, 3.0], np.float32)}
        return Source("toy", {"train": arrays, "test": arrays}, {"features": 3})

    def describe(self, source):
        return "a toy"

    def train_step(self, batch):
        type(self).executions += 1
        seed = nn.random.at_step(nn.random.fold(self.config.seed, "mask"), self.step)
        with tf.GradientTape() as tape:
            features = batch["features"]
            mask = nn.random.of_global_batch(nn.random.uniform, features.shape, seed) > 0.1
            error = tf.linalg.matvec(tf.where(mask, features, 0.0), self.weights) - batch["targets"]
            loss = tf.reduce_mean(tf.square(error))
        self.optimizer.minimize(loss, tape)
        return {"loss": loss, "size": tf.norm(self.weights)}

    def evaluate(self, dataset):
        mean = nn.metrics.Mean()
        for batch in dataset:
            mean.update(tf.square(tf.linalg.matvec(batch["features"], self.weights) - batch["targets"]))
        return {"loss": mean.result()}

    def pictures(self, source):
        return {"weights": np.full([4, 6, 3], 200, np.uint8)}

    def conclude(self, source, values):
        return f"toy loss {values['loss']:.3f}"


class Runs:
    """Trains in folders below a temporary one, and reads what is there."""

    def __init__(self, path):
        self.path = path

    def train(self, case_class, name="run", **given):
        config = case_class.Config.resolve({"workdir": str(self.path / name), **given})
        return training.train(case_class, config)

    def checkpoints(self, name="run"):
        return checkpoints.steps(str(self.path / name / "checkpoints"))

    def variables(self, name="run"):
        """{key: array} of everything in the newest checkpoint: weights, slots, counters."""
        newest = self.checkpoints(name)[-1]
        reader = tf.train.load_checkpoint(str(self.path / name / "checkpoints" / f"step_{newest:08d}" / "variables"))
        keys = [k for k in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in k]
        return {key: reader.get_tensor(key) for key in sorted(keys)}

    def records(self, name="run", split=None):
        """The reports without their times."""
        lines = (self.path / name / "metrics.jsonl").read_text().splitlines()
        records = [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]
        return [r for r in records if split in (None, r["split"])]

    def losses(self, name="run"):
        return np.array([r["values"]["loss"] for r in self.records(name, "train")])

    def assert_identical(self, name, other):
        """Bit for bit, in everything saved and reported."""
        mine, theirs = self.variables(name), self.variables(other)
        assert list(mine) == list(theirs)
        for key in mine:
            assert mine[key].dtype == theirs[key].dtype
            assert mine[key].tobytes() == theirs[key].tobytes(), key
        assert self.records(name) == self.records(other)


@pytest.fixture
def toy():
    """A class of its own, so that its executions are this test's."""
    return type("Toy", (Toy,), {"executions": 0})


@pytest.fixture(scope="session")
def toy_class():
    return Toy


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


@pytest.fixture(scope="session")
def runs_in():
    return Runs


@pytest.fixture
def at_step(monkeypatch):
    """at_step(k, act) calls `act` between the calls of the traced loop when k steps were made; at_step() no more."""

    def install(step=-1, act=None):
        def stop(case, many, count):
            now = int(case.step.numpy())
            finite = many(min(count, step - now) if now < step else count)
            if int(case.step.numpy()) == step:
                act()
            return finite

        wrap_calls(monkeypatch, stop)

    return install


def wrap_calls(monkeypatch, call):
    """Makes the loop do `call(case, many, count)` instead of `many(count)`, which makes `count` steps."""

    class Wrapped(steps.TracedSteps):
        def __init__(self, case, *arguments):
            super().__init__(case, *arguments)
            many = self.many
            self.many = lambda count: call(case, many, count)

    monkeypatch.setattr(loop, "TracedSteps", Wrapped)


@pytest.fixture
def wrapped_calls(monkeypatch):
    """The function `wrap_calls` without its first argument."""
    return functools.partial(wrap_calls, monkeypatch)


@pytest.fixture
def deterministic():
    """Restores the process after a run with --deterministic."""
    yield
    from tensorflow.python.framework import config

    config.disable_op_determinism()
