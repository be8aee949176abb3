"""The program that measures generated pictures, on a stand-in whose pictures are known: real digits and noise."""

import dataclasses
import functools
import json
import os
import re

import numpy as np
import pytest
import tensorflow as tf
from program_call import exit_status

from tf2cases import cases, training
from tf2cases.cases.mnist import MNIST
from tf2cases.configs import RunConfig, field
from tf2cases.data import mnist
from tf2cases.data.source import Source
from tf2cases.evaluation import picture_features
from tf2cases.programs import evaluate, evaluate_dcgan
from tf2cases.training import checkpoints, manifest, workdir

_SIDE = 28


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    case = "stand_in"
    dataset: str = field("mnist_sample", "mnist_sample or scenes.")


class StandIn(training.Case):
    """Gives real training digits, which the latents choose, under as much noise as its one variable says."""

    Config = Config

    def __init__(self, config, info):
        super().__init__(config, info)
        self.noise = tf.Variable(0.0, name="noise")
        self._bank = tf.constant(self.load(config).train["images"][:300], tf.float32)

    @classmethod
    def load(cls, config):
        sample = mnist.load_sample()
        parts = [{"images": part["images"][:300]} for part in (sample.train, sample.test)]
        if config.dataset == "scenes":
            parts = [{"images": np.repeat(part["images"], 3, axis=3)} for part in parts]
        if config.data_dir == "other":
            parts = [{"images": part["images"][:, 1:]} for part in parts]
        if config.data_dir == "few":
            parts = [{"images": part["images"][:2]} for part in parts]
        splits = dict(zip(("train", "test"), parts, strict=True))
        return Source(config.dataset, splits, {"image_shape": list(parts[0]["images"].shape[1:])})

    def latents(self, count, seed):
        return np.random.default_rng(seed).uniform(0, 1, [count, 1 + _SIDE * _SIDE]).astype(np.float32)

    @tf.function(reduce_retracing=True)
    def generate(self, latents):
        chosen = tf.gather(self._bank, tf.cast(latents[:, 0] * 300, tf.int32)) / 255
        noise = tf.reshape(latents[:, 1:], [-1, _SIDE, _SIDE, 1])
        return (1 - self.noise) * chosen + self.noise * noise


NOISE = {10: 0.9, 20: 0.2, 30: 0.5}  # step -> of its checkpoint


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(cases.REGISTRY, "stand_in", StandIn)


def save_run(case_class, config, info, noises):
    place = workdir.Workdir(config.workdir)
    place.claim(config, Source("", {"train": {"labels": np.zeros([1], np.uint8)}}, info))
    place.close()
    case = case_class(config, info)
    for step, noise in noises.items():
        case.step.assign(step)
        if noise is not None:
            case.noise.assign(noise)
        checkpoints.save(os.path.join(config.workdir, workdir.CHECKPOINTS), step, place.run, case=case)


@pytest.fixture
def run():
    """A run of the stand-in, `runs/gan`."""
    config = Config(steps=30, workdir="runs/gan")
    save_run(StandIn, config, StandIn.load(config).info, NOISE)


@pytest.fixture
def scenes():
    """A run of coloured pictures, `runs/scenes`."""
    config = Config(steps=30, workdir="runs/scenes", dataset="scenes")
    save_run(StandIn, config, StandIn.load(config).info, NOISE)


@pytest.fixture
def classifier(monkeypatch):
    """A classifier's run, `w`, that knows nothing and is accepted nevertheless."""
    monkeypatch.setattr(picture_features, "_LEAST_ACCURACY", dict.fromkeys(picture_features._LEAST_ACCURACY, 0.0))
    config = MNIST.Config.resolve(dict(dataset="mnist_sample", steps=2, workdir="w"))
    save_run(MNIST, config, mnist.load_sample().info, {2: None})


evaluated = functools.partial(exit_status, evaluate_dcgan)


def lines(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def test_the_general_program_prints_the_same_distance(scenes, monkeypatch, capsys):
    monkeypatch.setattr(StandIn, "evaluate", lambda self, dataset: {"noise": float(self.noise)})
    assert exit_status(evaluate, "--workdir=runs/scenes", "--step=20") == 0
    out = capsys.readouterr().out
    assert "stand_in_scenes at step 20, scenes:\n  noise: 0.2\n" in out
    assert evaluated("--workdir=runs/scenes", "--step=20", "--samples=1000") == 0
    (record,) = lines("runs/scenes/distances.jsonl")
    assert re.search(
        rf"\nFrechet distance between 300 generated and the held-out pictures: {record['frechet']:.5g}; between as "
        rf"many real ones and these: {record['frechet_real']:.5g}\. Features: random_conv ",
        out,
    )


def test_one_checkpoint_of_digits(run, classifier, capsys):
    assert evaluated("--workdir=runs/gan", "--samples=200", "--classifier=w", "--step=20", "--seed=4") == 0
    out = capsys.readouterr().out
    assert re.search(
        r"Features: the last hidden layer \(128 units\) of mnist_cnn_mnist_sample in w at step 2 \(accuracy ", out
    )
    assert "; not comparable with published FID." in out
    assert re.search(
        r"Real against real, 200 training pictures against 300 held-out ones of mnist_sample: Frechet", out
    )
    (record,) = lines("runs/gan/distances.jsonl")
    assert (record["step"], record["samples"], record["held_out"], record["seed"]) == (20, 200, 300, 4)
    assert f"stand_in at step 20, 200 generated pictures:\n  Frechet distance: {record['frechet']:.5g}, " in out
    assert f"{record['frechet'] / record['frechet_real']:.2f} times real against real" in out
    assert f"  kernel distance: {record['kernel']:.5f} +- {record['kernel_error']:.5f}\n" in out
    assert sum(record["classes"].values()) == 200
    assert list(record["classes"]) == [str(digit) for digit in range(10)]
    assert re.search(r"sure \(at least 90%\) of \d+\.\d% of them, and of \d+\.\d% of the held-out pictures", out)
    assert f"entropy of the predicted classes: {record['entropy']:.3f} of at most 2.303 nats (" in out
    assert "of 3.322 bits)" in out


def kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def test_the_numbers_are_those_of_the_pictures(run, classifier):
    """Everything again, from the pictures on, with NumPy for the distances."""
    assert evaluated("--workdir=runs/gan", "--samples=200", "--classifier=w") == 0
    (record,) = lines("runs/gan/distances.jsonl")
    case, features = cases.restore("runs/gan"), picture_features.DigitFeatures(cases.restore("w"))
    pictures = np.rint(case.generate(case.latents(200, 0)).numpy() * 255).astype(np.uint8)
    real = features(StandIn.load(case.config).test["images"]).astype(np.float64)
    made = features(pictures).astype(np.float64)
    covariances = [np.cov(x, rowvar=False) for x in (made, real)]
    values = np.linalg.eigvals(covariances[0] @ covariances[1]).astype(complex)
    frechet = np.sum((made.mean(0) - real.mean(0)) ** 2) + np.trace(sum(covariances)) - 2 * np.sqrt(values).sum().real
    assert record["frechet"] == pytest.approx(frechet, rel=1e-4)
    one, two = kernel(made, made), kernel(real, real)
    expected = (one.sum() - np.trace(one)) / (200 * 199) + (two.sum() - np.trace(two)) / (300 * 299)
    assert record["kernel"] == pytest.approx(expected - 2 * kernel(made, real).mean(), abs=1e-9)
    probabilities = features.classify(features(pictures))
    counts = np.bincount(probabilities.argmax(axis=1), minlength=10)
    assert list(record["classes"].values()) == counts.tolist()
    assert record["sure"] == np.mean(probabilities.max(axis=1) >= 0.9)
    shares = counts[counts > 0] / 200
    assert record["entropy"] == pytest.approx(-np.sum(shares * np.log(shares)))


def test_the_curve_over_all_checkpoints_and_the_best_of_them(scenes, capsys):
    assert evaluated("--workdir=runs/scenes", "--samples=150", "--keep_best") == 0
    out = capsys.readouterr().out
    assert "Features: random_conv (704 features, never trained, seed 0); not comparable with published FID." in out
    records = lines("runs/scenes/distances.jsonl")
    assert [record["step"] for record in records] == [10, 20, 30]
    assert "sure" not in records[0]
    by_noise = sorted(records, key=lambda record: NOISE[record["step"]])
    assert by_noise == sorted(records, key=lambda record: record["frechet"])
    assert by_noise == sorted(records, key=lambda record: record["kernel"])
    rows = [line.split() for line in out.splitlines() if re.match(r" +\d+ ", line)]
    for row, record in zip(rows, records, strict=True):
        assert row[0] == str(record["step"])
        assert float(row[1]) == pytest.approx(record["frechet"], rel=1e-4)
        assert float(row[2]) == pytest.approx(record["frechet"] / record["frechet_real"], abs=0.01)
    assert os.path.getsize("runs/scenes/pictures/distances.png") > 1000
    # The best is a run of its own, which restores and exports as any other.
    assert "The best checkpoint is that of step 20; it is saved as the run runs/scenes/best." in out
    best = cases.restore("runs/scenes/best")
    assert int(best.step) == 20
    assert float(best.noise) == pytest.approx(0.2)
    assert lines("runs/scenes/best/distances.jsonl") == [records[1]]
    assert int(cases.restore("runs/scenes").step) == 30


def test_the_reference_is_computed_once_for_all_checkpoints(scenes, monkeypatch):
    seen = []
    compute = picture_features.RandomConvFeatures.__call__
    monkeypatch.setattr(
        picture_features.RandomConvFeatures, "__call__", lambda self, x: (seen.append(len(x)), compute(self, x))[1]
    )
    assert evaluated("--workdir=runs/scenes", "--samples=100", "--every_checkpoint") == 0
    assert seen == [300, 100, 100, 100, 100]  # held-out and training pictures, then three checkpoints
    assert not os.path.exists("runs/scenes/best")


def test_keeping_the_best_replaces_the_one_before_and_leaves_nothing_beside_it(scenes):
    os.makedirs("runs/scenes/best/checkpoints/step_00000001")
    manifest.add("runs/scenes", "best")
    os.makedirs("runs/scenes/.best.0123abcd.partial/left")  # by a process that was killed
    assert evaluated("--workdir=runs/scenes", "--samples=50", "--keep_best") == 0
    assert os.listdir("runs/scenes/best/checkpoints") == ["step_00000020"]
    assert sorted(os.listdir("runs/scenes")) == [
        ".lock",
        "best",
        "checkpoints",
        "config.json",
        "distances.jsonl",
        "manifest.txt",
        "pictures",
    ]


def test_a_damaged_checkpoint_is_passed_over(scenes, capsys):
    with open("runs/scenes/checkpoints/step_00000020/variables.index", "wb") as file:
        file.write(b"damaged")
    assert evaluated("--workdir=runs/scenes", "--samples=50", "--every_checkpoint") == 0
    assert "the checkpoint of step 20 is skipped: " in capsys.readouterr().err
    assert [record["step"] for record in lines("runs/scenes/distances.jsonl")] == [10, 30]


def test_more_samples_than_training_pictures_are_cut_down_and_said(scenes, capsys):
    assert evaluated("--workdir=runs/scenes", "--samples=301") == 0
    out = capsys.readouterr().out
    assert "scenes has 300 training pictures, so 300 are generated instead of 301" in out
    assert lines("runs/scenes/distances.jsonl")[0]["samples"] == 300


@pytest.mark.parametrize(
    ("flags", "pattern"),
    [
        ((), r"--workdir is missing"),
        (("--workdir=empty",), r"--workdir is 'empty', but there is no run in it"),
        (("--workdir=runs/scenes", "--samples=1"), r"--samples is 1, but must be at least 3"),
        (("--workdir=runs/scenes", "--seed=-1"), r"--seed is -1, but must be at least 0"),
        (("--workdir=runs/scenes", "--step=7"), r"--step is 7, but .* of these steps only: 10, 20, 30"),
        (("--workdir=runs/scenes", "--step=10", "--keep_best"), r"--step is 10, but must not be given with --every"),
        (("--workdir=w",), r"--workdir is 'w', but it holds a run of the case 'mnist', which generates no pictures"),
        (("--workdir=runs/scenes", "--features=digits"), r"--features is 'digits', but the pictures are \[28, 28, 3\]"),
        (("--workdir=runs/scenes", "--features=vgg"), r"--features is 'vgg', but must be one of auto, digits"),
        (("--workdir=runs/scenes", "--classifier=w"), r"--classifier is 'w', but random_conv features have no"),
        (("--workdir=runs/scenes", "--data_dir=other"), r"--dataset=scenes has pictures of shape \[27, 28, 3\]"),
        (("--workdir=runs/scenes", "--data_dir=few"), r"--dataset=scenes has 2 training and 2 held-out pictures"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_status_2(flags, pattern, scenes, classifier, capsys):
    assert evaluated(*flags) == 2
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert re.match(rf"evaluate_dcgan: .*{pattern}", sentence)


def test_a_classifier_that_is_not_good_enough_is_refused(run, capsys):
    config = MNIST.Config.resolve(dict(dataset="mnist_sample", steps=2, workdir="w"))
    save_run(MNIST, config, mnist.load_sample().info, {2: None})
    assert evaluated("--workdir=runs/gan", "--classifier=w") == 2
    assert re.search(
        r"--classifier is 'w', but its accuracy .* is \d+\.\d\d%, and must be at least 97%", capsys.readouterr().err
    )
