"""Case 6, the denoising autoencoder: networks against Keras, noise, metrics against NumPy, the served signatures."""

import keras
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from PIL import Image

from tf2cases import training, viz
from tf2cases.cases import DenoisingAutoencoder, autoencoder
from tf2cases.data import pipeline, sources
from tf2cases.errors import RunError, UsageError

GREY, COLOUR = {"image_shape": [28, 28, 1]}, {"image_shape": [32, 32, 3]}


def make(info=GREY, **given):
    return DenoisingAutoencoder(DenoisingAutoencoder.Config.resolve({"steps": 100, **given}), info)


@pytest.fixture(scope="module")
def digits():
    return sources.load("mnist_sample").train["images"]


def keras_original(case):
    """The original model in Keras, with the case's weights."""
    layers = keras.layers

    def conv(filters, activation="relu"):
        return layers.Conv2D(filters, 3, padding="same", activation=activation)

    model = keras.Sequential(
        [
            keras.Input([28, 28, 1]),
            conv(32),
            layers.MaxPooling2D(2),
            conv(32),
            layers.MaxPooling2D(2),
            conv(32),
            layers.UpSampling2D(2),
            conv(32),
            layers.UpSampling2D(2),
            conv(1, "sigmoid"),
        ]
    )
    with_weights = [layer for layer in case.network.layers if layer.variables]
    model.set_weights([array.numpy() for layer in with_weights for array in (layer.kernel, layer.bias)])
    return model


# The networks and the step


def test_the_original_network_has_its_number_of_parameters():
    case = make(model="original")
    assert sum(np.prod(v.shape) for v in case.network.variables) == 28_353
    assert keras_original(case).count_params() == 28_353


@pytest.mark.parametrize("info", [GREY, COLOUR])
def test_the_default_network_has_fewer_than_250000_parameters_and_keeps_the_shape(info):
    case = make(info)
    assert sum(np.prod(v.shape) for v in case.network.variables) < 250_000
    assert case.network.output_shape == (None, *info["image_shape"])


@pytest.mark.parametrize("fixed_noise", [False, True])
def test_the_loss_of_a_step_is_that_of_keras_with_the_same_weights_and_noise(digits, fixed_noise):
    case = make(model="original", fixed_noise=fixed_noise)
    arrays = {"images": digits[:32]}
    if fixed_noise:
        arrays["noisy"] = 255 - digits[:32]
    batch = case.prepare({name: tf.constant(array) for name, array in arrays.items()})
    noisy = batch["noisy"].numpy()
    noisy = noisy / np.float32(255) if noisy.dtype == np.uint8 else noisy
    clean = digits[:32] / np.float32(255)
    p = np.clip(keras_original(case)(noisy).numpy().astype(np.float64), 1e-7, 1 - 1e-7)
    expected = -np.mean(clean * np.log(p) + (1 - clean) * np.log(1 - p))
    np.testing.assert_allclose(case.train_step(batch)["loss"], expected, rtol=1e-5)


def test_the_original_recipe_has_the_original_settings_and_flags_override_it():
    config = DenoisingAutoencoder.Config.resolve({"recipe": "original", "epochs": 3})
    assert (config.model, config.optimizer, config.learning_rate) == ("original", "adadelta", 1.0)
    assert (config.fixed_noise, config.schedule, config.epochs, config.batch_size) == (True, "constant", 3, 128)
    assert float(make(recipe="original").optimizer.rho) == 0.95


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(tmp_path):
    given = dict(dataset="mnist_sample", model="original", learning_rate=1e30, schedule="constant", steps=20)
    config = DenoisingAutoencoder.Config.resolve({**given, "batch_size": 8, "workdir": str(tmp_path / "run")})
    with pytest.raises(RunError, match=r"the metrics became infinite or NaN at step \d+;"):
        training.train(DenoisingAutoencoder, config)


# Noise


def test_noise_is_normal_with_the_deviation_asked_for():
    grey = np.full([50, 28, 28, 1], 128, np.uint8)
    noise = autoencoder.add_noise(grey, tf.constant([1, 2], tf.int64), 0.05).numpy() - 128 / 255
    assert noise.mean() == pytest.approx(0, abs=0.001)
    assert noise.std() == pytest.approx(0.05, rel=0.02)
    assert (np.abs(noise) < 0.05).mean() == pytest.approx(0.6827, abs=0.01)


def test_noisy_pictures_stay_in_range_and_a_black_pixel_stays_black_half_the_time():
    noisy = autoencoder.add_noise(np.zeros([50, 28, 28, 1], np.uint8), tf.constant([1, 2], tf.int64), 0.5)
    assert noisy.numpy().min() == 0
    assert noisy.numpy().max() <= 1
    assert (noisy.numpy() == 0).mean() == pytest.approx(0.5, abs=0.01)


def test_fresh_noise_differs_from_step_to_step_and_depends_on_the_seed(digits):
    batch = {"images": tf.constant(digits[:8])}
    case, other = make(), make(seed=1)
    first, again = case.prepare(batch)["noisy"].numpy(), case.prepare(batch)["noisy"].numpy()
    np.testing.assert_array_equal(first, again)
    case.step.assign_add(1)
    assert (case.prepare(batch)["noisy"].numpy() != first).mean() > 0.4
    assert (other.prepare(batch)["noisy"].numpy() != first).mean() > 0.4


def load(**given):
    return DenoisingAutoencoder.load(DenoisingAutoencoder.Config.resolve({"dataset": "mnist_sample", **given}))


def test_the_test_noise_is_the_same_for_every_seed_and_the_training_noise_is_not():
    one, two = load(fixed_noise=True), load(fixed_noise=True, seed=1)
    np.testing.assert_array_equal(one.test["noisy"], two.test["noisy"])
    assert (one.train["noisy"] != two.train["noisy"]).mean() > 0.4
    assert (one.train["noisy"][:1000] != one.train["noisy"][1000:2000]).mean() > 0.4


def test_fresh_noise_needs_no_second_copy_of_the_training_set():
    assert set(load().train) == {"images"}


def test_the_noisy_test_digits_are_as_far_off_as_the_published_ones(shared):
    source = load(dataset="mnist", data_dir=str(shared / "data" / "mnist"))
    difference = source.test["noisy"].astype(np.float32) / 255 - source.test["images"].astype(np.float32) / 255
    each = np.square(difference).mean(axis=(1, 2, 3))
    assert each.mean() == pytest.approx(0.1155, abs=0.0005)
    assert (-10 * np.log10(each)).mean() == pytest.approx(9.39, abs=0.02)


# Metrics and pictures


def ssim(a, b):
    """Structural similarity of two [H, W] pictures: Gaussian windows of 11x11, deviation 1.5 (Wang et al. 2004)."""

    def blur(x):
        return scipy.ndimage.gaussian_filter(x, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    return np.mean((2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))


def test_the_metrics_are_those_of_numpy_for_noisy_and_denoised(digits):
    case, clean = make(model="original"), digits[:12]
    noisy = np.clip(clean + 60 * np.random.default_rng(0).normal(size=clean.shape), 0, 255).astype(np.uint8)
    values = case.evaluate(pipeline.in_order({"images": clean, "noisy": noisy}, 5))
    clean, noisy = clean.astype(np.float64) / 255, noisy.astype(np.float64) / 255
    denoised = keras_original(case)(noisy.astype(np.float32)).numpy().astype(np.float64)
    for prefix, shown in (("", denoised), ("noisy_", noisy)):
        squares = np.square(shown - clean).mean(axis=(1, 2, 3))
        p = np.clip(shown, *np.float64(np.float32([1e-7, 1 - 1e-7])))  # the limits in float32, as in Keras
        expected = {
            "mse": squares.mean(),
            "psnr": np.mean(10 * np.log10(1 / squares)),
            "bce": -np.mean(clean * np.log(p) + (1 - clean) * np.log(1 - p)),
            "ssim": np.mean([ssim(a[..., 0], b[..., 0]) for a, b in zip(clean, shown, strict=True)]),
        }
        for name, value in expected.items():
            assert values[prefix + name] == pytest.approx(value, rel=2e-4), prefix + name


def test_the_pictures_show_the_noisy_above_the_denoised_above_the_clean():
    case, source = make(dataset="mnist_sample"), load()
    pictures = case.pictures(source)
    assert set(pictures) == {"denoised", "noise_sweep"}
    assert pictures["denoised"].shape[1] > 10 * 28


# What is refused, and what is served


def test_a_size_that_cannot_be_halved_twice_is_refused():
    with pytest.raises(UsageError, match=r"--size is 30, but must be a multiple of 4: the network halves it twice\."):
        DenoisingAutoencoder.Config(dataset="folder", size=30)


def test_digits_of_another_size_are_refused():
    with pytest.raises(UsageError, match=r"--size is 32, but must be 28 for --dataset=mnist_sample\."):
        load(size=32)


def test_a_folder_of_colour_pictures_is_trained_on_in_colour(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(60):
        Image.fromarray(rng.integers(0, 256, [40, 50, 3], np.uint8)).save(tmp_path / f"{i}.png")
    source = load(dataset="folder", data_dir=str(tmp_path), size=16, cache_dir=str(tmp_path / "cache"))
    assert source.info == {"image_shape": [16, 16, 3]}
    assert source.test["noisy"].shape == source.test["images"].shape
    case = make(source.info)
    batch = case.prepare(pipeline.Batches(source.train, 8, 0).batch(0))
    assert np.isfinite(case.train_step(batch)["loss"])


def test_picture_files_are_resized_turned_grey_and_denoised_like_arrays(digits):
    case = make()
    grey = np.repeat(digits[:2].astype(np.float32) / 255, 3, axis=-1)  # grey, but stored in three channels
    twice = (grey.repeat(2, axis=1).repeat(2, axis=2) * 255).round().astype(np.uint8)
    files = [tf.io.encode_png(picture).numpy() for picture in twice]
    (answer,) = case.signatures()["denoise_bytes"](image_bytes=tf.constant(files)).values()
    decoded = np.stack([tf.io.decode_png(file).numpy() for file in answer.numpy()])
    # An antialiased reduction to the half does not give back exactly what was doubled, so the reference is Pillow's.
    small = [np.asarray(Image.fromarray(p[..., 0]).resize((28, 28), Image.BILINEAR), np.float32) for p in twice]
    images = np.stack(small)[..., None] / 255
    expected = case.signatures()["serving_default"](images=tf.constant(images))["denoised"].numpy() * 255
    assert decoded.shape == (2, 28, 28, 1)
    assert np.abs(decoded - expected).max() < 3


def test_the_curves_leave_out_the_metrics_of_the_noisy_pictures_which_are_constant():
    denoised = [{"step": s, "split": "eval", "values": {"bce": 1 / s, "psnr": s}} for s in (10, 20)]
    reported = [r | {"values": r["values"] | {"noisy_bce": 2.0, "noisy_psnr": 9.0}} for r in denoised]
    np.testing.assert_array_equal(make().curves(reported)["curves"], viz.training_curves(denoised))
