"""A case outside of the project: trained, resumed, evaluated, exported and asked without being registered."""

import os
import re
import sys

import numpy as np
import pytest
from program_call import exit_status

from tf2cases import cases, training
from tf2cases.errors import UsageError
from tf2cases.programs import evaluate, export, train
from tf2cases.serving.model import Model

MODULE = '''
import dataclasses
import tensorflow as tf
from tf2cases import nn, training
from tf2cases.configs.run import OptimizerConfig, field
from tf2cases.data import sources


@dataclasses.dataclass(frozen=True)
class Config(OptimizerConfig):
    case = "mean_ink"
    dataset: str = field("mnist_sample", "Data set to train on.")
    start: float = field(0.0, "First guess.")


class MeanInk(training.Case):
    """Learns the mean of the pixels."""

    Config = Config

    def __init__(self, config, info):
        super().__init__(config, info)
        self.mean = tf.Variable(config.start, name="mean")
        self.optimizer = nn.SGD([self.mean], **self.optimizer_options())

    @classmethod
    def load(cls, config):
        return sources.load(config.dataset)

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.cast(batch["images"], tf.float32) / 255 - self.mean))
        self.optimizer.minimize(loss, tape)
        return {"loss": loss}

    def evaluate(self, dataset):
        return {"mean": float(self.mean)}

    def signatures(self):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def serving_default(x):
            return {"deviation": x - self.mean}

        return {"serving_default": serving_default}

    def requests(self):
        return {"serving_default": {"x": [0.0, 1.0]}}


not_a_case = 3
'''


@pytest.fixture(autouse=True)
def own_module(tmp_path, monkeypatch):
    """The module `own.ink` in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", os.getcwd())])
    monkeypatch.setattr("tf2cases.serving.verify.in_fresh_process", lambda *_: None)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "ink.py").write_text(MODULE)
    (tmp_path / "own" / "broken.py").write_text("import a_module_that_is_missing")
    yield
    for name in [name for name in sys.modules if name == "own" or name.startswith("own.")]:
        del sys.modules[name]


CASE = "--case=own.ink:MeanInk"
FLAGS = (CASE, "--learning_rate=0.5", "--batch_size=400", "--no_warmup")


def test_the_programs_train_resume_evaluate_and_export_it(capsys):
    assert exit_status(train, *FLAGS, "--steps=5") == 0
    assert exit_status(train, *FLAGS, "--steps=10") == 0
    assert "resuming from step 5" in capsys.readouterr().out
    assert sorted(os.listdir("exports/mean_ink")) == ["1", "2"]
    assert exit_status(evaluate, "--workdir=runs/mean_ink", CASE) == 0
    printed = float(re.search(r"mean: ([\d.]+)", capsys.readouterr().out)[1])
    assert exit_status(export, "--workdir=runs/mean_ink", CASE, "--step=10", "--publish_as=ink", "--no_warmup") == 0
    answer = Model("exports/ink").call("serving_default", x=[0.0])["deviation"]
    np.testing.assert_allclose(answer, [-printed], rtol=1e-5)


def test_python_trains_resumes_and_restores_it():
    sys.path.insert(0, os.getcwd())
    from own.ink import MeanInk

    training.train(MeanInk, MeanInk.Config.resolve({"steps": 2}))
    result = training.train(MeanInk, MeanInk.Config.resolve({"steps": 3}))
    restored = cases.restore(result.workdir, case_class=MeanInk)
    assert (int(restored.step), float(restored.mean)) == (3, float(result.case.mean))


def test_a_run_does_not_name_code_to_import(capsys):
    assert exit_status(train, *FLAGS, "--steps=1") == 0
    capsys.readouterr()
    assert exit_status(evaluate, "--workdir=runs/mean_ink") == 2
    assert "the case 'mean_ink' is not one of linear_regression, " in (err := capsys.readouterr().err)
    assert "--case=MODULE:CLASS" in err


def test_a_class_of_another_case_is_refused():
    from tf2cases.cases import MNIST

    sys.path.insert(0, os.getcwd())
    from own.ink import MeanInk

    result = training.train(MeanInk, MeanInk.Config.resolve({"steps": 1}))
    message = (
        "--case is MNIST, whose name is 'mnist', but the run in --workdir=runs/mean_ink is of the case 'mean_ink'."
    )
    with pytest.raises(UsageError) as caught:
        cases.restore(result.workdir, case_class=MNIST)
    assert str(caught.value) == message


def test_the_help_lists_the_flags_of_the_class(capsys):
    assert exit_status(train, CASE, "--help") == 0
    out = capsys.readouterr().out
    assert out.startswith("Learns the mean of the pixels.")
    assert "  --start: First guess. Default: 0.0." in out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "train: --case is missing: MODULE:CLASS of the case, such as "),
        (("--case=",), "train: --case is '', but must be MODULE:CLASS, such as "),
        (("--case=own.ink",), "train: --case is 'own.ink', but must be MODULE:CLASS, such as "),
        (("--case", "own.none:A"), "train: --case is 'own.none:A', but there is no module own.none."),
        (("--case=none.at.all:A",), "train: --case is 'none.at.all:A', but there is no module none."),
        (("--case=own.ink:Absent",), "train: --case is 'own.ink:Absent', but Absent must be a training.Case with a "),
        (
            ("--case=own.ink:not_a_case",),
            "train: --case is 'own.ink:not_a_case', but not_a_case must be a training.Case",
        ),
    ],
)
def test_a_mistaken_class_is_named(capsys, flags, message):
    assert exit_status(train, *flags, "--steps=1") == 2
    assert message in capsys.readouterr().err


def test_a_mistake_inside_of_the_module_keeps_its_traceback():
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_missing"):
        train.select(["train", "--case=own.broken:Case"])
