"""The feature nets against NumPy, and which classifier judges."""

import dataclasses
import os

import numpy as np
import pytest

from tf2cases import cases, training
from tf2cases.cases.mnist import MNIST
from tf2cases.data import houses, mnist, pipeline
from tf2cases.data.source import Source
from tf2cases.errors import UsageError
from tf2cases.evaluation import distances, picture_features
from tf2cases.training import checkpoints, workdir

INFO = {"image_shape": [28, 28, 1], "class_names": [str(digit) for digit in range(10)]}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """Classifiers are looked for, and trained, in relative places."""
    monkeypatch.chdir(tmp_path)


def classifier(**fields):
    return MNIST(MNIST.Config.resolve(dict(steps=1, **fields)), INFO)


def pictures(count, shape=(28, 28, 1), seed=0):
    return np.random.default_rng(seed).integers(0, 256, [count, *shape], np.uint8)


def windows(x, strides=1):
    """[N, H', W', 9 C]: the 3x3 windows that lie within."""
    height, width = x.shape[1] - 2, x.shape[2] - 2
    parts = [x[:, i : i + height : strides, j : j + width : strides] for i in range(3) for j in range(3)]
    return np.concatenate(parts, axis=3)


def by_numpy(case, images):
    """The CNN up to its last hidden layer, and its probabilities."""
    layers = {layer.name: layer for layer in case.network.layers}
    x = images.astype(np.float64) / 255
    for name in ("conv_1", "conv_2"):
        kernel, bias = layers[name].kernel.numpy(), layers[name].bias.numpy()
        x = np.maximum(windows(x) @ kernel.reshape(-1, kernel.shape[-1]) + bias, 0)
    x = np.maximum.reduce([x[:, i::2, j::2] for i in range(2) for j in range(2)]).reshape(len(x), -1)
    hidden = np.maximum(x @ layers["dense_1"].kernel.numpy() + layers["dense_1"].bias.numpy(), 0)
    scores = np.exp(hidden @ layers["logits"].kernel.numpy() + layers["logits"].bias.numpy())
    return hidden, scores / scores.sum(axis=1, keepdims=True)


def test_digit_features_are_the_last_hidden_layer_without_dropout():
    case, images = classifier(seed=3), pictures(10)
    features = picture_features.DigitFeatures(case)
    found = features(images)
    hidden, probabilities = by_numpy(case, images)
    assert found.dtype == np.float32
    assert found.shape == (10, 128)
    np.testing.assert_allclose(found, hidden, atol=1e-5)
    np.testing.assert_allclose(features.classify(found), probabilities, atol=1e-5)


def test_digit_features_are_in_float32_and_of_the_averaged_weights_where_there_are_some():
    case, images = classifier(precision="bfloat16", ema=0.9), pictures(3)
    before = picture_features.DigitFeatures(case)(images)
    for variable in case.network.trainable_variables:  # the average stays as it was
        variable.assign(variable * 2)
    np.testing.assert_array_equal(picture_features.DigitFeatures(case)(images), before)
    exact = picture_features.DigitFeatures(classifier())(images)
    np.testing.assert_allclose(before, exact, rtol=1e-6)


def test_other_models_and_cases_are_refused():
    with pytest.raises(ValueError, match=r"the case 'mnist' with the model 'mlp', but must be 'mnist' with .* 'cnn'"):
        picture_features.DigitFeatures(classifier(model="mlp"))
    other = cases.LinearRegression
    case = other(other.Config(steps=1), houses.load().info)
    with pytest.raises(ValueError, match=r"the case 'linear_regression' with the model 'none'"):
        picture_features.DigitFeatures(case)


def test_random_features_are_means_over_quarters_of_relu_convolutions():
    shape = (20, 18, 3)
    features, images = picture_features.RandomConvFeatures(shape, seed=5), pictures(4, shape)
    found = features(images)
    assert found.dtype == np.float32
    assert found.shape == (4, 704)
    x, parts = images / 127.5 - 1, []
    for layer in features._layers:
        # SAME with stride 2: for an even side one row of zeros below, for an odd one a row on either side.
        pads = [(0, 0)] + [(0, 1) if side % 2 == 0 else (1, 1) for side in x.shape[1:3]] + [(0, 0)]
        kernel = layer.kernel.numpy()
        x = np.maximum(windows(np.pad(x, pads), strides=2) @ kernel.reshape(-1, kernel.shape[-1]), 0)
        height, width = x.shape[1:3]
        tall, wide = -(-height // 2), -(-width // 2)
        quarters = [x[:, i : i + tall, j : j + wide] for i in (0, height - tall) for j in (0, width - wide)]
        parts += [quarter.mean(axis=(1, 2)) for quarter in quarters]
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1), atol=1e-5)


def test_random_features_are_fixed_by_the_seed():
    """Else distances of another day or version could not be compared."""
    images = pictures(2, (32, 32, 3))
    found = picture_features.RandomConvFeatures((32, 32, 3))(images)
    np.testing.assert_array_equal(found, picture_features.RandomConvFeatures((32, 32, 3), seed=0)(images))
    assert np.abs(found - picture_features.RandomConvFeatures((32, 32, 3), seed=1)(images)).max() > 0.1
    # The numbers that the first version gave.
    ramp = np.arange(32 * 32 * 3, dtype=np.int64).reshape(1, 32, 32, 3) * 255 // (32 * 32 * 3 - 1)
    features = picture_features.RandomConvFeatures((32, 32, 3))(ramp.astype(np.uint8))
    np.testing.assert_allclose([features.sum(), features.max()], [128.2202, 1.37395], rtol=1e-4)


def scenes(count, seed):
    """Coloured discs on a coloured ground, 32x32."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    centre, radius = rng.uniform(10, 22, [2, count, 1, 1]), rng.uniform(4, 9, [count, 1, 1])
    inside = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2)[..., None]
    colours = rng.uniform(60, 200, [2, count, 1, 1, 3])
    return np.where(inside, colours[0], colours[1]).astype(np.uint8)


def test_random_features_tell_noise_missing_variety_and_misplaced_parts_from_the_real():
    features = picture_features.RandomConvFeatures((32, 32, 3))
    held_out = distances.Gaussian(features(scenes(200, 1)))
    real = scenes(200, 2)
    noise = np.random.default_rng(0).normal(0, 1, real.shape)

    def distance(images):
        return distances.Gaussian(features(images)).distance(held_out)

    def noisy(amount):
        return np.clip(real + amount * noise, 0, 255).astype(np.uint8)

    assert 0 < distance(real) < distance(noisy(10)) < distance(noisy(30)) < distance(noisy(60))
    assert distance(real) < distance(np.repeat(real[:20], 10, axis=0)) < distance(np.repeat(real[:2], 100, axis=0))
    mixed = np.concatenate([real[:, :, :16], np.roll(real, 1, axis=0)[:, :, 16:]], axis=2)  # halves of two pictures
    assert distance(mixed) > 1.5 * distance(real)


def test_pictures_too_small_for_random_features_are_refused():
    picture_features.RandomConvFeatures((17, 17, 1))(pictures(1, (17, 17, 1)))
    with pytest.raises(ValueError, match=r"the pictures are 16x40, but random_conv .* sides of at least 17"):
        picture_features.RandomConvFeatures((16, 40, 1))


def save_run(folder, steps=2, **fields):
    """A classifier's run as training leaves it, without the training."""
    config = MNIST.Config.resolve(dict(steps=steps, workdir=folder, **fields))
    place = workdir.Workdir(folder)
    rows = {"labels": np.zeros([1], np.uint8)}
    place.claim(config, Source("mnist_sample", {"train": rows}, INFO))
    place.close()
    case = MNIST(config, INFO)
    case.step.assign(steps)
    checkpoints.save(os.path.join(folder, workdir.CHECKPOINTS), steps, place.run, case=case)


@pytest.fixture
def any_accuracy(monkeypatch):
    monkeypatch.setattr(picture_features, "_LEAST_ACCURACY", dict.fromkeys(picture_features._LEAST_ACCURACY, 0.0))


def test_a_missing_classifier_is_trained_with_the_best_recipe_and_found_again(any_accuracy, monkeypatch, capsys):
    asked = []

    def short(case_class, config):
        asked.append(config)
        save_run(config.workdir, dataset=config.dataset)
        return training.Result(None, config, config.workdir, 2, {}, 0.0, None)

    monkeypatch.setattr(picture_features.training, "train", short)
    features = picture_features.digit_features("mnist_sample", "")
    assert "Training the classifier of mnist_sample in runs/mnist_cnn_mnist_sample_best" in capsys.readouterr().out
    (config,) = asked
    best = MNIST.Config.resolve(dict(dataset="mnist_sample", recipe="best", epochs=48))
    same = dict(workdir=config.workdir, data_dir=config.data_dir, export_dir="")
    assert config == dataclasses.replace(best, **same)
    assert "in runs/mnist_cnn_mnist_sample_best at step 2 (accuracy " in features.name
    picture_features.digit_features("mnist_sample", "")
    assert len(asked) == 1


def test_a_classifier_that_was_interrupted_is_trained_to_its_end(any_accuracy, monkeypatch):
    def stopped(case_class, config):
        raise InterruptedError(config.workdir)

    save_run("runs/mnist_cnn_mnist_sample_best", steps=2, dataset="mnist_sample")
    record = open("runs/mnist_cnn_mnist_sample_best/config.json").read()
    open("runs/mnist_cnn_mnist_sample_best/config.json", "w").write(record.replace('"steps": 2', '"steps": 3'))
    monkeypatch.setattr(picture_features.training, "train", stopped)
    with pytest.raises(InterruptedError, match=r"runs/mnist_cnn_mnist_sample_best"):
        picture_features.digit_features("mnist_sample", "")


def test_a_signal_while_the_classifier_is_trained_ends_the_program(monkeypatch):
    monkeypatch.setattr(
        picture_features.training, "train", lambda _, config: training.Result(None, config, "", 1, {}, 0.0, 2)
    )
    with pytest.raises(KeyboardInterrupt, match=r"the classifier's checkpoints are kept"):
        picture_features.digit_features("mnist_sample", "")


def test_the_sample_is_judged_by_the_classifier_of_all_digits_once_that_is_finished(any_accuracy):
    assert picture_features.default_classifier("mnist_sample") == ("runs/mnist_cnn_mnist_sample_best", "mnist_sample")
    save_run("runs/mnist_cnn_best")
    assert picture_features.default_classifier("mnist_sample") == ("runs/mnist_cnn_best", "mnist")
    assert picture_features.default_classifier("mnist") == ("runs/mnist_cnn_best", "mnist")
    assert picture_features.default_classifier("fashion_mnist") == (
        "runs/mnist_cnn_fashion_mnist_best",
        "fashion_mnist",
    )
    assert "in runs/mnist_cnn_best at step 2" in picture_features.digit_features("mnist_sample", "").name


def test_a_classifier_that_is_not_accurate_enough_is_refused():
    save_run("w")
    accuracy = cases.restore("w").evaluate(pipeline.in_order(mnist.load_sample().test, 500))["accuracy"]
    with pytest.raises(ValueError, match=rf"--classifier is 'w', but its accuracy .* is {accuracy:.2%}, .* least 97%"):
        picture_features.digit_features("mnist_sample", "", "w")


def test_a_classifier_of_other_classes_is_refused(any_accuracy, monkeypatch):
    save_run("w")
    sample = mnist.load_sample()
    fashion = dataclasses.replace(sample, info={**sample.info, "class_names": mnist.CLASS_NAMES["fashion_mnist"]})
    monkeypatch.setattr(picture_features.sources, "load", lambda *args: fashion)
    with pytest.raises(
        ValueError, match=r"--classifier is 'w', but .* trained on mnist, .* not those of fashion_mnist"
    ):
        picture_features.digit_features("fashion_mnist", "", "w")


def test_a_folder_without_a_classifier_is_refused():
    with pytest.raises(ValueError, match=r"--classifier=empty cannot judge the pictures: .*there is no run in it"):
        picture_features.digit_features("mnist_sample", "", "empty")


def test_which_features_auto_means(any_accuracy):
    save_run("w")
    kinds = {
        ("mnist_sample", (28, 28, 1)): picture_features.DigitFeatures,
        ("mnist_sample", (32, 32, 1)): picture_features.RandomConvFeatures,
        ("toy_faces", (64, 64, 3)): picture_features.RandomConvFeatures,
        ("folder", (28, 28, 1)): picture_features.RandomConvFeatures,
    }
    for (dataset, shape), kind in kinds.items():
        named = "w" if kind is picture_features.DigitFeatures else None
        features = picture_features.make("auto", dataset, "", shape, named)
        assert type(features) is kind
        assert not features.comparable
    assert type(picture_features.make("random_conv", "mnist_sample", "", (28, 28, 1))).__name__ == "RandomConvFeatures"


@pytest.mark.parametrize(
    ("name", "dataset", "shape", "named", "message"),
    [
        (
            "digits",
            "celeba",
            (28, 28, 1),
            None,
            r"--features is 'digits', but the pictures are \[28, 28, 1\] of celeba",
        ),
        ("digits", "mnist", (32, 32, 1), None, r"the pictures are \[32, 32, 1\] of mnist, and must be \[28, 28, 1\]"),
        ("auto", "celeba", (64, 64, 3), "w", r"--classifier is 'w', but random_conv features have no classifier"),
    ],
)
def test_features_that_do_not_fit_are_refused(name, dataset, shape, named, message):
    with pytest.raises(ValueError, match=message):
        picture_features.make(name, dataset, "", shape, named)


def test_inception_features_are_the_networks_own_and_take_grey_pictures():
    from tf2cases.inception_v3 import extractor

    images = np.random.default_rng(0).integers(0, 256, [3, 32, 32, 1], np.uint8)
    features = picture_features.make("inception", "folder", "", (32, 32, 1), "random")
    expected = extractor.load("random", "").model.features(images.repeat(3, axis=-1))
    np.testing.assert_array_equal(features(images), expected)
    assert features.name == "Inception-v3 (2,048 features) with the weights random"
    assert not features.comparable


def test_inception_features_without_their_weights_say_what_to_fetch(tmp_path, monkeypatch):
    from tf2cases.data import download

    def no_network(*arguments, **options):
        raise UsageError("nothing there")

    monkeypatch.setattr(download, "fetch", no_network)
    with pytest.raises(UsageError, match="nothing there"):
        picture_features.make("inception", "folder", str(tmp_path), (32, 32, 3))
