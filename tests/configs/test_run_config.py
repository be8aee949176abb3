"""Fields, recipes, the length of a run, and which differences matter on resuming."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tf2cases import configs, nn
from tf2cases.cases import MNIST, LinearRegression
from tf2cases.configs import (
    autoencoder,
    captcha,
    dcgan,
    field,
    inception_v3,
    linear_regression,
    mnist,
    retrain,
    run,
    vae,
)
from tf2cases.errors import UsageError
from tf2cases.inception_v3 import Network, weights


@dataclasses.dataclass(frozen=True)
class Config(configs.OptimizerConfig):
    case = "example"
    epochs: float | None = field(5, "Epochs.", above=0, numeric=False)
    width: int = field(8, "Width in units.", minimum=1, maximum=64)
    share: float = field(0.5, "A share.", minimum=0.0, maximum=1.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("steps", 0, r"^--steps is 0, but must be at least 1\.$"),
        ("epochs", 0.0, r"^--epochs is 0\.0, but must be greater than 0\.$"),
        ("epochs", -1, r"^--epochs is -1, but must be greater than 0\.$"),
        ("epochs", float("nan"), r"^--epochs is nan, but must be a finite number\.$"),
        ("epochs", float("inf"), r"^--epochs is inf, but must be a finite number\.$"),
        ("batch_size", 0, r"^--batch_size is 0, but must be at least 1\.$"),
        ("seed", -1, r"^--seed is -1, but must be at least 0\.$"),
        ("precision", "float64", r"^--precision is 'float64', but must be one of float32, bfloat16, float16\.$"),
        ("jit", "yes", r"^--jit is 'yes', but must be one of auto, on, off\.$"),
        ("strategy", "tpu", r"^--strategy is 'tpu', but must be one of auto, single, mirrored, multi_worker\.$"),
        ("log_every", 0, r"^--log_every is 0, but must be at least 1\.$"),
        ("eval_every", -1, r"^--eval_every is -1, but must be at least 0\.$"),
        ("checkpoint_every", -1, r"^--checkpoint_every is -1, but must be at least 0\.$"),
        ("pictures_every", -1, r"^--pictures_every is -1, but must be at least 0\.$"),
        ("keep_checkpoints", "0", r"^--keep_checkpoints is '0', but must be a number from 1 to 999999999, or all\.$"),
        (
            "keep_checkpoints",
            "few",
            r"^--keep_checkpoints is 'few', but must be a number from 1 to 999999999, or all\.$",
        ),
        ("learning_rate", 0.0, r"^--learning_rate is 0\.0, but must be greater than 0\.$"),
        ("schedule", "linear", r"^--schedule is 'linear', but must be one of constant, cosine\.$"),
        ("warmup_steps", -1, r"^--warmup_steps is -1, but must be at least 0\.$"),
        ("clip_norm", 0.0, r"^--clip_norm is 0\.0, but must be greater than 0\.$"),
        ("width", 65, r"^--width is 65, but must be at most 64\.$"),
        ("share", 1.5, r"^--share is 1\.5, but must be at most 1\.0\.$"),
    ],
)
def test_a_value_that_is_not_accepted_is_refused_with_the_flag_and_what_would_be(name, value, message):
    with pytest.raises(UsageError, match=message):
        Config.resolve({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("width", 1), ("width", 64), ("share", 0.0), ("share", 1.0), ("steps", 1), ("clip_norm", None), ("epochs", 0.01)],
)
def test_values_at_the_edge_are_accepted(name, value):
    assert getattr(Config(**{name: value}), name) == value


@pytest.mark.parametrize("case_class", [LinearRegression, MNIST])
def test_a_case_refuses_data_sets_it_cannot_learn(case_class):
    with pytest.raises(UsageError, match=r"^--dataset is 'celeba', but must be one of "):
        case_class.Config(dataset="celeba")


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().seed = 1


def test_steps_and_epochs_exclude_each_other():
    with pytest.raises(UsageError, match=r"^--steps=10 and --epochs=2 were both given, but only one of them can be\.$"):
        Config.resolve({"steps": 10, "epochs": 2})


def test_steps_replace_the_default_epochs():
    config = Config.resolve({"steps": 10})
    assert (config.steps, config.epochs) == (10, None)
    assert config.with_examples(1000).steps == 10


@pytest.mark.parametrize(
    ("epochs", "examples", "batch_size", "steps"),
    [
        (5, 60000, 128, 2344),  # 2343.75
        (1, 128, 128, 1),
        (1, 129, 128, 2),
        (500, 47, 47, 500),
        (0.5, 10, 4, 2),  # 1.25
        (0.1, 1000, 100, 1),  # 0.1 has no exact float, and 1 step is meant
        (3, 10, 3, 10),
        (0.3, 100, 10, 3),  # 3.0000000000000004 in floating point
        (1, 3, 100, 1),
        (1e-9, 10, 1, 1),
    ],
)
def test_epochs_are_rounded_up_to_whole_steps(epochs, examples, batch_size, steps):
    assert Config(epochs=epochs, batch_size=batch_size).with_examples(examples).steps == steps


def test_without_a_batch_size_a_step_takes_all_examples():
    config = linear_regression.Config().with_examples(47)
    assert (config.batch_size, config.steps) == (47, 500)


@pytest.mark.parametrize(
    ("config_class", "given", "every"),
    [
        (mnist.Config, {"steps": 10_000}, 100),
        (mnist.Config, {"steps": 200}, 10),
        (mnist.Config, {"steps": 30}, 2),
        (mnist.Config, {"steps": 1}, 1),
        (mnist.Config, {"epochs": 1, "batch_size": 10}, 5),  # 100 steps
        (mnist.Config, {"steps": 30, "log_every": 100}, 100),
        (dcgan.Config, {"steps": 10_000}, 20),
        (dcgan.Config, {"steps": 100}, 5),
        (linear_regression.Config, {"steps": 30}, 10),
    ],
)
def test_a_short_run_reports_twenty_times_unless_told_otherwise(config_class, given, every):
    assert config_class.resolve(given).with_examples(1000).log_every == every


@pytest.mark.parametrize(("model", "epochs"), [("mlp", 40), ("cnn", 16)])
def test_a_recipe_sets_defaults_and_a_given_flag_wins(model, epochs):
    best = mnist.Config.resolve({"recipe": "best", "model": model})
    assert (best.epochs, best.schedule, best.augment) == (epochs, "cosine", True)
    own = mnist.Config.resolve({"recipe": "best", "model": model, "epochs": 2, "augment": False})
    assert (own.epochs, own.schedule, own.augment) == (2, "cosine", False)
    steps = mnist.Config.resolve({"recipe": "best", "model": model, "steps": 7})
    assert (steps.steps, steps.epochs) == (7, None)


def test_the_original_recipe_changes_nothing():
    assert mnist.Config.resolve({"recipe": "original"}) == mnist.Config() == mnist.Config.resolve({})
    assert (mnist.Config().epochs, mnist.Config().batch_size, mnist.Config().learning_rate) == (5, 128, 0.001)


@pytest.mark.parametrize(
    ("module", "given", "name"),
    [
        (mnist, {}, "mnist_cnn"),
        (mnist, {"dataset": "mnist_sample"}, "mnist_cnn_mnist_sample"),
        (mnist, {"model": "mlp", "recipe": "best"}, "mnist_mlp_best"),
        (mnist, {"dataset": "fashion_mnist", "recipe": "best"}, "mnist_cnn_fashion_mnist_best"),
        (linear_regression, {}, "linear_regression"),
        (linear_regression, {"csv": "a/flats in town.csv"}, "linear_regression_flats-in-town"),
        (captcha, {}, "captcha"),
        (captcha, {"charset": "alnum"}, "captcha_alnum"),
        (captcha, {"charset": "/../*"}, "captcha"),
        (captcha, {"data_dir": "my/captchas.tar"}, "captcha_captchas"),
        (captcha, {"model": "original"}, "captcha_original"),
        (autoencoder, {"recipe": "original"}, "autoencoder_original"),
        (autoencoder, {"dataset": "folder", "data_dir": "/photos/"}, "autoencoder_folder_photos"),
        (vae, {"dataset": "fashion_mnist"}, "vae_fashion_mnist"),
        (dcgan, {}, "dcgan"),
        (dcgan, {"dataset": "celeba", "data_dir": "downloads"}, "dcgan_celeba"),
        (dcgan, {"dataset": "folder", "data_dir": "花"}, "dcgan_folder_花"),
        (retrain, {"data_dir": "x/flowers.v2/"}, "retrain_flowers.v2"),
    ],
)
def test_a_runs_name_says_what_differs_from_the_defaults(module, given, name):
    assert module.Config.resolve(given).name == name
    assert module.Config.resolve(given).folder == f"runs/{name}"
    assert module.Config.resolve({**given, "workdir": "w"}).folder == "w"


def test_the_name_of_own_data_in_the_current_folder_is_that_folders(tmp_path, monkeypatch):
    (tmp_path / "flowers").mkdir()
    monkeypatch.chdir(tmp_path / "flowers")
    assert retrain.Config.resolve({"data_dir": "."}).name == "retrain_flowers"


NUMERIC = dict(
    dataset="x",
    batch_size=2,
    init_from="runs/other",
    seed=1,
    precision="bfloat16",
    jit="on",
    learning_rate=0.1,
    schedule="cosine",
    warmup_steps=1,
    clip_norm=1.0,
    width=3,
    share=0.1,
)
OTHERS = dict(
    data_dir="x",
    workdir="x",
    export_dir="x",
    no_warmup=True,
    publish_as="x",
    steps=3,
    epochs=9,
    strategy="single",
    log_every=1,
    eval_every=1,
    checkpoint_every=1,
    keep_checkpoints=1,
    pictures_every=1,
    deterministic=True,
    overwrite=True,
)


def test_every_field_either_changes_numbers_or_does_not():
    assert NUMERIC.keys() | OTHERS.keys() == {f.name for f in dataclasses.fields(Config)}


@pytest.mark.parametrize("name", NUMERIC)
def test_a_field_that_changes_numbers_is_a_difference(name):
    first = Config(steps=100)
    assert configs.differences(dataclasses.replace(first, **{name: NUMERIC[name]}), first) == [name]


@pytest.mark.parametrize("name", OTHERS)
def test_a_cadence_or_a_place_is_no_difference(name):
    first = Config(steps=100)
    assert configs.differences(dataclasses.replace(first, **{name: OTHERS[name]}), first) == []


def test_the_number_of_steps_is_a_difference_only_where_a_schedule_uses_it():
    constant, cosine = (Config(schedule=s, steps=10) for s in ("constant", "cosine"))
    assert configs.differences(constant, dataclasses.replace(constant, steps=20)) == []
    assert configs.differences(cosine, dataclasses.replace(cosine, steps=20)) == ["steps"]
    assert configs.differences(cosine, cosine) == []


def test_a_config_survives_json():
    config = Config.resolve({"epochs": 0.1, "learning_rate": 0.3, "width": 7}).with_examples(12345)
    record = json.loads(json.dumps(dataclasses.asdict(config)))
    assert Config.from_record(record) == config


def test_a_record_of_another_version_is_refused_with_the_field():
    with pytest.raises(UsageError, match=r"^config\.json has the field 'height', which configs of example do not have"):
        Config.from_record({"width": 3, "height": 4})


def test_a_warm_up_as_long_as_the_run_is_refused():
    message = r"^--warmup_steps is 10, but must be less than the run's 10 steps\.$"
    with pytest.raises(UsageError, match=message):
        Config.resolve({"steps": 10, "warmup_steps": 10}).with_examples(100)


def test_the_names_that_configs_accept_are_those_that_nn_knows():
    assert run.PRECISIONS == nn.precision.NAMES
    assert run.SCHEDULES == nn.schedules.NAMES
    losses = next(f for f in dataclasses.fields(dcgan.Config) if f.name == "loss")
    assert losses.metadata["choices"] == tuple(nn.adversarial.LOSSES)
    assert set(inception_v3.PUBLISHED) == set(weights.PUBLISHED)
    assert len(Network(0).blocks) == inception_v3.BLOCKS


def test_configs_are_read_without_tensorflow():
    code = "import sys, tf2cases.configs, pkgutil, importlib\n" + (
        "for m in pkgutil.iter_modules(tf2cases.configs.__path__):\n"
        "    importlib.import_module(f'tf2cases.configs.{m.name}')\n"
        "print('tensorflow' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("epochs", float), ("steps", int), ("workdir", str), ("dataset", str), ("no_warmup", bool), ("width", int)],
)
def test_field_types_see_through_optional_annotations(name, kind):
    assert configs.field_types(Config)[name] is kind


def test_a_config_without_the_name_of_its_case_is_a_mistake():
    @dataclasses.dataclass(frozen=True)
    class Nameless(configs.OptimizerConfig):
        pass

    with pytest.raises(TypeError, match=r"Nameless must set `case`, the name of its case\."):
        Nameless()


def test_a_plain_default_instead_of_a_field_is_a_mistake():
    @dataclasses.dataclass(frozen=True)
    class Plain(Config):
        depth: int = 3

    with pytest.raises(TypeError, match=r"Plain\.depth must be declared with `field` or `free_field`\."):
        Plain()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": 5}, r"^configs of mnist have no field 'epoch'; did you mean 'epochs'\?$"),
        ({"learningrate": 0.1}, r"^configs of mnist have no field 'learningrate'; did you mean 'learning_rate'\?$"),
        ({"zzz": 5}, r"^configs of mnist have no field 'zzz', only dataset, .*, epochs, "),
        ({"epochs": "5"}, r"^--epochs is '5', but must be a number\.$"),
        ({"steps": 1.5}, r"^--steps is 1\.5, but must be a whole number\.$"),
        ({"steps": True}, r"^--steps is True, but must be a whole number\.$"),
        ({"augment": 1}, r"^--augment is 1, but must be True or False\.$"),
        ({"workdir": 3}, r"^--workdir is 3, but must be a path\.$"),
    ],
)
def test_a_field_that_is_not_there_or_of_another_type_is_named(given, message):
    with pytest.raises(UsageError, match=message):
        MNIST.Config.resolve(given)


def test_numbers_of_numpy_and_paths_of_pathlib_are_accepted():
    given = {"steps": np.int64(7), "learning_rate": np.float32(0.5), "seed": 3, "workdir": pathlib.Path("a") / "b"}
    config = MNIST.Config.resolve(given)
    assert (config.steps, config.learning_rate, config.workdir) == (7, 0.5, "a/b")
    assert MNIST.Config.resolve({"learning_rate": 1, "steps": None}).learning_rate == 1
