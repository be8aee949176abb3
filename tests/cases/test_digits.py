"""Case 2, MNIST: the networks against Keras, one step, evaluation, augmentation."""

import io
import os

import keras
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from PIL import Image

from tf2cases import cases, nn, training
from tf2cases.cases import MNIST, mnist
from tf2cases.data import pipeline, sources
from tf2cases.data.source import Source

INFO = {"image_shape": [28, 28, 1], "class_names": list("0123456789")}


@pytest.fixture(scope="module")
def sample():
    return sources.load("mnist_sample")


def make(**given):
    return MNIST(MNIST.Config.resolve({"steps": 100, **given}), INFO)


def first(sample, n, split="train"):
    return {name: array[:n] for name, array in getattr(sample, split).items()}


def keras_twin(case):
    """A Keras model without dropout, with the case's weights."""
    layers = keras.layers
    if case.config.model == "mlp":
        body = [layers.Flatten(), layers.Dense(512, "relu"), layers.Dense(512, "relu"), layers.Dense(10)]
    elif case.config.model == "small_cnn":
        body = [
            layers.Conv2D(16, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(32, "relu"),
            layers.Dense(10),
        ]
    else:
        body = [
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dense(10),
        ]
    model = keras.Sequential([keras.Input([28, 28, 1]), *body])
    with_weights = [layer for layer in case.network.layers if layer.variables]
    model.set_weights([array.numpy() for layer in with_weights for array in (layer.kernel, layer.bias)])
    return model


def png(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


# The networks


@pytest.mark.parametrize(("model", "parameters"), [("cnn", 1_199_882), ("mlp", 669_706), ("small_cnn", 64_842)])
def test_the_number_of_parameters(model, parameters, sample):
    case = make(model=model)
    assert sum(np.prod(v.shape) for v in case.network.trainable_variables) == parameters
    assert f"{parameters:,}" in case.describe(sample)
    assert keras_twin(case).count_params() == parameters


@pytest.mark.parametrize("model", ["mlp", "cnn", "small_cnn"])
def test_with_the_same_weights_logits_equal_keras(model, sample):
    case = make(model=model, seed=3)
    images = sample.test["images"][:64]
    ours = case._infer(images).numpy()
    theirs = keras_twin(case)(images.astype(np.float32) / 255).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.abs(theirs).max() > 0.05


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_initial_weights_are_glorot_uniform_with_zero_biases_and_differ_by_seed(model):
    one, two = make(model=model, seed=1), make(model=model, seed=2)
    for layer, other in zip(one.network.layers, two.network.layers, strict=True):
        if not layer.variables:
            continue
        kernel = layer.kernel.numpy()
        receptive = np.prod(kernel.shape[:-2])
        limit = np.sqrt(6 / (receptive * (kernel.shape[-2] + kernel.shape[-1])))
        assert 0.95 * limit < np.abs(kernel).max() <= limit * (1 + 1e-6)  # in float32
        assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.1)
        assert not layer.bias.numpy().any()
        assert not np.array_equal(kernel, other.kernel.numpy())


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_training_step_equals_keras_on_the_same_batch(model, sample):
    case = make(model="mlp") if model == "mlp" else make(model=model, dropout=False)
    twin = keras_twin(case)
    optimizer = keras.optimizers.Adam(0.001, epsilon=1e-7)
    loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for i in range(2):
        batch = {name: tf.constant(a[32 * i : 32 * (i + 1)]) for name, a in sample.train.items()}
        images = tf.cast(batch["images"], tf.float32) / 255
        with tf.GradientTape() as tape:
            logits = twin(images, training=True)
            loss = loss_function(batch["labels"], logits)
        optimizer.apply(tape.gradient(loss, twin.trainable_variables), twin.trainable_variables)
        values = case.train_step(batch)
        assert float(values["loss"]) == pytest.approx(float(loss), rel=1e-5)
        right = np.mean(np.argmax(logits, axis=1) == batch["labels"].numpy())
        assert float(values["accuracy"]) == pytest.approx(right)
    for mine, theirs in zip(case.network.trainable_variables, keras_order(case, twin), strict=True):
        # Adam divides by the root of a tiny second moment, so the last bit of a gradient weighs more in a few places.
        difference = np.abs(mine.numpy() - theirs)
        assert difference.max() < 2e-4
        assert np.quantile(difference, 0.999) < 1e-5


def keras_order(case, twin):
    """The twin's weights in the order of the case's variables."""
    weights = dict(zip([tuple(w.path.split("/")[-2:]) for w in twin.weights], twin.get_weights(), strict=True))
    names = [layer.name for layer in twin.layers if layer.weights]
    ours = [layer for layer in case.network.layers if layer.variables]
    found = {}
    for name, layer in zip(names, ours, strict=True):
        found[layer.kernel.ref()], found[layer.bias.ref()] = weights[name, "kernel"], weights[name, "bias"]
    return [found[v.ref()] for v in case.network.trainable_variables]


def test_dropout_changes_from_step_to_step_and_not_within_one(sample):
    batch = {name: tf.constant(array) for name, array in first(sample, 16).items()}
    losses = []
    for step in (0, 0, 1):
        case = make(model="cnn")
        case.step.assign(step)
        losses.append(float(case.train_step(batch)["loss"]))
    assert losses[0] == losses[1] != losses[2]
    assert losses[0] != float(make(model="cnn", dropout=False).train_step(batch)["loss"])


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precisions_learn_about_the_same_and_answer_in_float32(precision, sample):
    batch = {name: tf.constant(array) for name, array in first(sample, 32).items()}
    full, low = make(model="mlp"), make(model="mlp", precision=precision)
    for _ in range(3):
        expected, found = full.train_step(batch)["loss"], low.train_step(batch)["loss"]
    assert float(found) == pytest.approx(float(expected), rel=0.05)
    assert low._infer(batch["images"]).dtype == tf.float32
    answers = low.signatures()["serving_default"](tf.cast(batch["images"], tf.float32) / 255)
    assert answers["probabilities"].dtype == tf.float32
    assert {v.dtype for v in low.network.variables} == {tf.float32}


# Evaluation


@pytest.mark.parametrize("batch_size", [500, 300, 1000])
def test_evaluation_counts_every_test_digit_once(sample, batch_size):
    case = make(model="mlp")
    values = case.evaluate(pipeline.in_order(sample.test, batch_size))
    logits, labels = case._infer(sample.test["images"]).numpy(), sample.test["labels"]
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(1000), labels]
    assert values["accuracy"] == int((logits.argmax(axis=1) == labels).sum()) / 1000
    assert values["loss"] == pytest.approx(losses.mean(), rel=1e-5)


def test_the_conclusion_gives_accuracy_loss_and_counts(sample):
    case = make(model="mlp")
    expected = "Test accuracy 97.30% (loss 0.0912): 973 of 1,000 right, 27 wrong."
    assert case.conclude(sample, {"loss": 0.09123, "accuracy": 0.973}) == expected
    # A share that float arithmetic does not give back exactly: 0.29 * 100 is 28.999999999999996.
    few = Source("mnist_sample", {"train": sample.train, "test": first(sample, 100, "test")}, sample.info)
    assert case.conclude(few, {"loss": 2.0, "accuracy": 0.29}).endswith("29 of 100 right, 71 wrong.")


def test_pictures_show_digits_counts_confusion_and_mistakes(sample):
    pictures = make(model="mlp").pictures(sample)
    assert list(pictures) == ["digits", "label_counts", "confusion", "worst_mistakes"]
    assert all(p.dtype == np.uint8 and p.ndim == 3 for p in pictures.values())


def test_a_model_without_mistakes_shows_none(sample):
    case = make(model="mlp")
    images = sample.test["images"][:50]
    labels = case._infer(images).numpy().argmax(axis=1).astype(np.uint8)
    perfect = Source("mnist_sample", {"train": sample.train, "test": {"images": images, "labels": labels}}, sample.info)
    assert "worst_mistakes" not in case.pictures(perfect)


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_200_digits_are_learnt_by_heart(model, sample, monkeypatch, tmp_path):
    few = first(sample, 200)
    monkeypatch.setattr(MNIST, "load", lambda config: Source("mnist_sample", {"train": few, "test": few}, sample.info))
    config = MNIST.Config.resolve({"model": model, "steps": 60, "batch_size": 50, "workdir": str(tmp_path)})
    result = training.train(MNIST, config)
    assert result.values["accuracy"] == 1.0
    assert "worst_mistakes.png" not in os.listdir(tmp_path / "pictures")


# The moving average


def test_the_average_follows_the_weights_and_is_what_is_evaluated(sample):
    case = make(model="mlp", ema=0.9)
    batch = {name: tf.constant(array) for name, array in first(sample, 32).items()}
    average = [v.numpy().astype(np.float64) for v in case.network.variables]
    for t in range(4):
        case.train_step(batch)
        rate = 1 - min(0.9, (1 + t) / (10 + t))
        average = [a + rate * (v.numpy() - a) for a, v in zip(average, case.network.variables, strict=True)]
    for expected, found in zip(average, case.average.network.variables, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    plain = make(model="mlp")
    for variable, value in zip(plain.network.variables, average, strict=True):
        variable.assign(value)
    images = sample.test["images"][:20]
    np.testing.assert_allclose(case._infer(images), plain._infer(images), atol=1e-5)
    scaled = tf.cast(images, tf.float32) / 255
    served, expected = (c.signatures()["serving_default"](scaled)["probabilities"] for c in (case, plain))
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_a_run_with_an_average_is_restored_with_it(sample, monkeypatch, tmp_path):
    few = first(sample, 100)
    monkeypatch.setattr(MNIST, "load", lambda config: Source("mnist_sample", {"train": few, "test": few}, sample.info))
    given = {"model": "mlp", "steps": 6, "batch_size": 50, "ema": 0.99, "workdir": str(tmp_path)}
    result = training.train(MNIST, MNIST.Config.resolve(given))
    restored = cases.restore(str(tmp_path))
    assert restored.evaluate(pipeline.in_order(few, 60)) == pytest.approx(result.values)
    raw = restored.network(tf.cast(few["images"], tf.float32) / 255, is_training=False)
    assert not np.allclose(raw, restored._infer(few["images"]), atol=1e-3)


# Augmentation


def draws(monkeypatch, *values):
    """Makes augment draw these: angle, shear, scale x, scale y, shift x, shift y, each in [-1, 1]."""
    fixed = lambda shape, *rest: tf.tile(tf.constant(values, tf.float32)[:, tf.newaxis], [1, shape[1]])  # noqa: E731
    monkeypatch.setattr(nn.random, "uniform", fixed)


def test_augmentation_keeps_shape_and_dtype_and_is_a_function_of_the_seed(sample):
    images = tf.constant(sample.train["images"][:20])
    one, again, two = (mnist.augment(images, nn.random.at_step(7, step)) for step in (1, 1, 2))
    assert (one.shape, one.dtype) == (images.shape, tf.uint8)
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, images)
    # The digits are not alike moved.
    moved = mnist.augment(tf.tile(images[:1], [20, 1, 1, 1]), nn.random.at_step(7, 1)).numpy()
    assert len({m.tobytes() for m in moved}) == 20


def test_nothing_drawn_leaves_the_pictures_as_they_are(sample, monkeypatch):
    draws(monkeypatch, 0, 0, 0, 0, 0, 0)
    images = sample.train["images"][:20]
    np.testing.assert_array_equal(mnist.augment(tf.constant(images), None), images)


@pytest.mark.parametrize(("shift_x", "shift_y"), [(1, 0), (-1, 0), (0, 1), (1, -1)])
def test_the_largest_shift_is_two_pixels_and_black_comes_in(sample, monkeypatch, shift_x, shift_y):
    draws(monkeypatch, 0, 0, 0, 0, shift_x, shift_y)
    images = sample.train["images"][:5]
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])
    y, x = 2 + 2 * shift_y, 2 + 2 * shift_x
    moved = mnist.augment(tf.constant(images), None)
    np.testing.assert_array_equal(moved, padded[:, y : y + 28, x : x + 28])


@pytest.mark.parametrize("values", [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, -1), (0.5, -0.7, 0.3, 0.9)])
def test_turning_shearing_and_scaling_about_the_centre_equal_scipys(sample, monkeypatch, values):
    draws(monkeypatch, *values, 0, 0)
    images = sample.train["images"][:3]
    angle, shear = values[0] * np.pi * 12 / 180, values[1] * 0.15
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    to_input = turn @ [[1, shear], [0, 1]] @ np.diag([1 + 0.12 * values[2], 1 + 0.12 * values[3]])  # on (x, y)
    matrix = to_input[::-1, ::-1]  # on (y, x)
    offset = np.array([13.5, 13.5]) - matrix @ [13.5, 13.5]
    found = mnist.augment(tf.constant(images), None).numpy()[..., 0].astype(int)
    for image, moved in zip(images[..., 0], found, strict=True):
        expected = scipy.ndimage.affine_transform(image.astype(float), matrix, offset, order=1)
        assert np.abs(moved - expected).max() < 1.01  # the kernel rounds down


def test_only_training_batches_are_augmented_and_only_when_asked(sample):
    batch = {name: tf.constant(array) for name, array in first(sample, 8).items()}
    assert make(model="mlp").prepare(batch) is batch
    prepared = make(model="mlp", augment=True).prepare(batch)
    assert not np.array_equal(prepared["images"], batch["images"])
    np.testing.assert_array_equal(prepared["labels"], batch["labels"])


# Serving


def test_digits_that_are_found_and_then_read_are_those_that_are_read_at_once(sample):
    digits = sample.test["images"][:3, :, :, 0]
    pages = np.full([2, 60, 150], 255, np.uint8)
    for i, digit in enumerate(digits):
        pages[0, 10:38, 10 + 45 * i : 38 + 45 * i] -= digit
    signatures = make(model="mlp").signatures()
    files = tf.constant([png(page) for page in pages])
    found, read = signatures["find_digits_bytes"](files), signatures["read_digits_bytes"](files)
    assert found["count"].numpy().tolist() == [3, 0]
    assert found["images"].shape == (2, 32, 28, 28, 1)
    assert not found["images"][1].numpy().any()
    for name in ("boxes", "count"):
        np.testing.assert_array_equal(found[name], read[name])
    probabilities = signatures["serving_default"](found["images"][0, :3])["probabilities"].numpy()
    confidences = probabilities.max(axis=1) * found["certainty"][0, :3]
    np.testing.assert_allclose(read["confidences"][0, :3], confidences, rtol=1e-5)
    assert b"".join(read["digits"][0, :3].numpy()).decode() == "".join(map(str, probabilities.argmax(axis=1)))
