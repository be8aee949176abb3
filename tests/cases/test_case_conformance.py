"""What every case promises (training/case.py). A new case is tested by being registered, with a small config here."""

import contextlib
import io

import numpy as np
import pytest
import tensorflow as tf

from tf2cases import cases, training
from tf2cases.data import pipeline
from tf2cases.training import checkpoints

_CAPTCHAS = dict(
    schedule="constant",
    charset="01",
    length=2,
    width=60,
    height=40,
    train_count=40,
    test_count=20,
    workers=1,
    batch_size=16,
)
# Export name -> (the case's key in the registry, the flags of a small run): every model of every case.
SMALL = {
    "linear_regression": ("linear_regression", {}),
    "mnist_mlp": ("mnist", {"dataset": "mnist_sample", "model": "mlp", "batch_size": 16}),
    "mnist_cnn": ("mnist", {"dataset": "mnist_sample", "model": "cnn", "batch_size": 16, "augment": True}),
    "captcha": ("captcha", {**_CAPTCHAS, "model": "reader"}),
    "autoencoder": ("autoencoder", {"dataset": "mnist_sample", "schedule": "constant", "batch_size": 16}),
    "autoencoder_original": ("autoencoder", {"dataset": "mnist_sample", "recipe": "original", "batch_size": 16}),
    "dcgan_mnist_sample": ("dcgan", {"dataset": "mnist_sample", "batch_size": 4, "sample_every": 2, "eval_every": 3}),
    "vae": (
        "vae",
        {"dataset": "mnist_sample", "binarize": "dynamic", "input_dropout": 0.1, "iwae": 2, "sample_every": 2},
    ),
    "retrain": ("retrain", {"batch_size": 16}),
    "captcha_original": ("captcha", {**_CAPTCHAS, "model": "original", "loss": "binary"}),
}


def test_every_registered_case_is_tested_here():
    assert {case for case, _ in SMALL.values()} == set(cases.REGISTRY)


def test_cases_are_registered_under_their_own_key_with_a_description():
    for key, case_class in cases.REGISTRY.items():
        assert case_class.Config.case == key
        assert issubclass(case_class, training.Case)
        assert case_class.__doc__
        assert case_class.Config.__doc__


@pytest.fixture(scope="module", params=SMALL)
def run(request, tmp_path_factory, shapes):
    """(the result of three steps, made in two runs, what the second printed, the data source)."""
    key, flags = SMALL[request.param]
    case_class = cases.REGISTRY[key]
    given = {"workdir": str(tmp_path_factory.mktemp(request.param)), "log_every": 1, "checkpoint_every": 2, **flags}
    if key == "captcha":
        given["cache_dir"] = str(tmp_path_factory.getbasetemp() / "captchas")
    if key == "retrain":
        given |= shapes
    printed = io.StringIO()
    training.train(case_class, case_class.Config.resolve(given | {"steps": 2}))
    with contextlib.redirect_stdout(printed):
        result = training.train(case_class, case_class.Config.resolve(given | {"steps": 3}))
    return result, printed.getvalue(), case_class.load(result.config)


def test_it_trains_three_steps_resuming_after_two(run):
    result, printed, _ = run
    assert result.step == 3
    assert int(result.case.step) == 3
    assert "resuming from step 2" in printed
    assert checkpoints.steps(f"{result.workdir}/checkpoints") == [2, 3]


def test_a_step_changes_weights_and_returns_the_named_metrics_as_finite_scalars(run):
    result, _, source = run
    case = type(result.case)(result.config, source.info)
    before = [v.numpy() for v in case.trainable_variables]
    seed = 0
    batch = pipeline.Batches(source.train, result.config.batch_size, seed, case.shuffle).batch(0)
    values = case.train_step(case.prepare(batch))
    assert tuple(values) == tuple(case.metric_names)
    for name, value in values.items():
        assert (value.dtype, value.shape) == (tf.float32, []), name
        assert np.isfinite(value), name
    assert any(not np.array_equal(b, v.numpy()) for b, v in zip(before, case.trainable_variables, strict=True))
    assert int(case.step) == 0  # the loop counts


def test_preparing_a_batch_keeps_its_size(run):
    result, _, source = run
    batch = pipeline.Batches(source.train, 4, 0).batch(0)
    prepared = result.case.prepare(batch)
    assert {t.shape[0] for t in tf.nest.flatten(prepared)} == {4}


def test_evaluating_gives_floats_that_do_not_depend_on_the_batches(run):
    result, _, source = run
    one = training.evaluate(result.case, source, 500)
    two = training.evaluate(result.case, source, 130)
    assert one
    assert {type(value) for value in one.values()} <= {float, int}
    assert all(np.isfinite(value) for value in one.values())
    assert two == pytest.approx(one, rel=1e-5, abs=1e-6)
    assert one == pytest.approx(result.values, rel=1e-5, abs=1e-6)


def test_evaluating_changes_nothing(run):
    result, _, source = run
    before = [v.numpy() for v in result.case.variables]
    result.case.evaluate(pipeline.in_order(source.test, 500))
    for old, variable in zip(before, result.case.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)


def test_pictures_are_uint8_in_height_width_and_channels_under_names_for_files(run):
    result, _, source = run
    pictures = result.case.pictures(source)
    assert pictures, "a case shows what it has learnt: `Case.pictures` must return at least one picture"
    for name, picture in pictures.items():
        assert name == name.strip()
        assert "/" not in name
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[-1] in (1, 3)
        assert min(picture.shape[:2]) > 1


def test_descriptions_and_conclusions_are_printed(run):
    result, printed, source = run
    for text in (result.case.describe(source), result.case.conclude(source, result.values)):
        assert text.strip()
        assert text in printed


def test_the_case_is_rebuilt_from_its_workdir_without_the_data(run, monkeypatch):
    result, _, source = run

    def no_data(config):
        raise AssertionError("the data were loaded")

    monkeypatch.setattr(type(result.case), "load", no_data)
    restored = cases.restore(result.workdir)
    assert restored.config == result.config
    assert int(restored.step) == 3
    dataset = pipeline.in_order(source.test, 500)
    assert restored.evaluate(dataset) == result.case.evaluate(dataset)
    assert int(cases.restore(result.workdir, step=2).step) == 2


def test_the_data_are_not_in_the_checkpoint(run):
    result, _, _ = run
    reader = tf.train.load_checkpoint(f"{result.workdir}/checkpoints/step_00000003/variables")
    stored = sum(int(np.prod(shape)) for shape in reader.get_variable_to_shape_map().values())
    known = sum(int(np.prod(v.shape)) for v in result.case.variables)
    assert known <= stored <= known + 100


def test_every_signature_has_a_request_and_answers_it_row_by_row(run):
    result, _, _ = run
    signatures, requests = result.case.signatures(), result.case.requests()
    assert "serving_default" in signatures
    assert signatures.keys() == requests.keys()
    for name, function in signatures.items():
        specs = function.input_signature
        assert [spec.shape[0] for spec in specs] == [None] * len(specs)
        assert [spec.name for spec in specs] == list(requests[name])
        inputs = {spec.name: tf.constant(requests[name][spec.name], spec.dtype) for spec in specs}
        rows = {len(array) for array in inputs.values()}
        assert len(rows) == 1
        answer = function(**inputs)
        assert {len(value) for value in answer.values()} == rows
        alone = function(**{key: value[1:2] for key, value in inputs.items()})
        for key, value in answer.items():
            if value.dtype.is_floating:
                assert value.dtype == tf.float32
                assert np.isfinite(value).all()
                np.testing.assert_allclose(alone[key], value[1:2], rtol=1e-5, atol=1e-6)
            else:
                np.testing.assert_array_equal(alone[key], value[1:2])
