"""The variational autoencoder: one step against Keras, bounds against NumPy, the manifold, extreme numbers, exports."""

import itertools
import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logsumexp, ndtri

from tf2cases import nn, training
from tf2cases.cases import VAE, vae
from tf2cases.data import pipeline, sources
from tf2cases.data.source import Source
from tf2cases.errors import RunError, UsageError
from tf2cases.serving import export, verify
from tf2cases.serving.model import Model

INFO = {"image_shape": [28, 28, 1], "class_names": list("0123456789")}


@pytest.fixture(scope="module")
def sample():
    return sources.load("mnist_sample")


def make(**given):
    return VAE(VAE.Config.resolve({"steps": 100, **given}).with_examples(4000), INFO)


def first(sample, n, split="train"):
    return {name: array[:n] for name, array in getattr(sample, split).items()}


def weights(case):
    """Kernel and bias of hidden, mean, log variance, hidden, logits, as float64."""
    network = case.network
    layers = [network.encoder.layers[-1], network.mean, network.log_variance, *network.decoder.layers]
    return [v.numpy().astype(np.float64) for layer in layers for v in (layer.kernel, layer.bias)]


def shake(case, scale=0.3):
    """Other biases than zero, so that a forgotten one shows."""
    for i, variable in enumerate(case.trainable_variables):
        if len(variable.shape) == 1:
            variable.assign(scale * nn.random.normal(variable.shape, [i, 9]))
    return case


class Reference:
    """The model in NumPy and float64."""

    def __init__(self, case):
        self.w = weights(case)

    def encode(self, x):
        hidden = np.maximum(x @ self.w[0] + self.w[1], 0)
        return hidden @ self.w[2] + self.w[3], hidden @ self.w[4] + self.w[5]

    def decode(self, z):
        return np.maximum(z @ self.w[6] + self.w[7], 0) @ self.w[8] + self.w[9]

    def log_likelihood(self, x, z):
        logits = self.decode(z)
        return np.sum(x * logits - np.logaddexp(0, logits), axis=-1)


def scaled(images):
    return images.reshape(len(images), -1).astype(np.float64) / 255


# Learning


def test_the_network_is_the_original_one(sample):
    case = make()
    shapes = [tuple(v.shape) for layer in weights(case)[::2] for v in [layer]]
    assert shapes == [(784, 256), (256, 2), (256, 2), (2, 256), (256, 784)]
    assert "404,244" in case.describe(sample)
    config = VAE.Config()
    assert (config.epochs, config.batch_size, config.learning_rate, config.latent_dim) == (50, 100, 0.001, 2)
    assert (case.optimizer.rho, case.optimizer.epsilon) == (0.9, 1e-7)  # as in Keras


@pytest.mark.parametrize(("beta", "latent_dim"), [(1.0, 2), (4.0, 5)])
def test_two_steps_equal_keras_with_the_same_weights_and_noise(sample, beta, latent_dim):
    case = shake(make(seed=3, beta=beta, latent_dim=latent_dim))
    layers = keras.layers
    x_in, z_in = keras.Input([784]), keras.Input([latent_dim])
    hidden = layers.Dense(256, "relu")(x_in)
    encoder = keras.Model(x_in, [layers.Dense(latent_dim)(hidden), layers.Dense(latent_dim)(hidden)])
    decoder = keras.Model(z_in, layers.Dense(784)(layers.Dense(256, "relu")(z_in)))
    encoder.set_weights([w.astype(np.float32) for w in weights(case)[:6]])
    decoder.set_weights([w.astype(np.float32) for w in weights(case)[6:]])
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer = keras.optimizers.RMSprop(0.001)
    for step in range(2):
        images = sample.train["images"][100 * step : 100 * step + 100]
        x = scaled(images).astype(np.float32)
        noise = nn.random.normal([100, latent_dim], nn.random.at_step(nn.random.fold(3, "noise"), step))
        with tf.GradientTape() as tape:
            mean, log_variance = encoder(x)
            logits = decoder(mean + keras.ops.exp(log_variance / 2) * noise)
            cross_entropy = 784 * keras.losses.binary_crossentropy(x, logits, from_logits=True)
            divergence = -0.5 * keras.ops.sum(1 + log_variance - mean**2 - keras.ops.exp(log_variance), axis=-1)
            loss = keras.ops.mean(cross_entropy + beta * divergence)
        optimizer.apply(tape.gradient(loss, variables), variables)
        values = {name: float(v) for name, v in case.train_step({"images": tf.constant(images)}).items()}
        case.step.assign_add(1)
        assert values["reconstruction"] == pytest.approx(float(keras.ops.mean(cross_entropy)), rel=1e-5)
        assert values["kl"] == pytest.approx(float(keras.ops.mean(divergence)), rel=1e-5)
        assert values["negative_elbo"] == pytest.approx(values["reconstruction"] + values["kl"], rel=1e-6)
        assert values["reconstruction"] + beta * values["kl"] == pytest.approx(float(loss), rel=1e-5)
    for ours, theirs in zip(weights(case), encoder.get_weights() + decoder.get_weights(), strict=True):
        # The first steps of RMSprop are nearly the gradients' signs, so the last bit weighs where one is nearly zero.
        difference = np.abs(ours - theirs)
        assert np.quantile(difference, 0.99) < 1e-5
        assert np.abs(ours).max() > 0.05


def test_the_loss_does_not_depend_on_what_came_before_the_step(sample):
    batch = {name: tf.constant(array) for name, array in first(sample, 20).items()}
    losses = []
    for step in (0, 0, 1):
        case = make()
        case.step.assign(step)
        losses.append(float(case.train_step(batch)["reconstruction"]))
    assert losses[0] == losses[1] != losses[2]


def test_a_hidden_share_of_the_pixels_changes_learning_and_not_the_evaluation(sample):
    batch = {name: tf.constant(array) for name, array in first(sample, 20).items()}
    with_all, with_some = make(), make(input_dropout=0.5)
    dataset = pipeline.in_order(first(sample, 50, "test"), 50)
    assert with_all.evaluate(dataset) == with_some.evaluate(dataset)
    assert float(with_all.train_step(batch)["kl"]) != float(with_some.train_step(batch)["kl"])


def test_pixels_are_binarised_as_asked():
    levels = np.array([0, 1, 64, 127, 128, 191, 255], np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], [7, 28, 28, 1])
    targets = {b: make(binarize=b)._targets(tf.constant(images), [1, 2]).numpy() for b in ("none", "static", "dynamic")}
    np.testing.assert_allclose(targets["none"][:, 0, 0, 0], levels / 255, rtol=1e-6)
    np.testing.assert_array_equal(targets["static"][:, 5, 5, 0], [0, 0, 0, 0, 1, 1, 1])  # 127 / 255 is below a half
    assert set(np.unique(targets["dynamic"])) == {0, 1}
    shares = targets["dynamic"].mean(axis=(1, 2, 3))
    assert (shares[0], shares[-1]) == (0, 1)
    np.testing.assert_allclose(shares, levels / 255, atol=4 * 0.5 / 28)  # four deviations of 784 draws
    again = make(binarize="dynamic")._targets(tf.constant(images), [1, 3])
    assert not np.array_equal(again, targets["dynamic"])


# Extreme numbers


@pytest.mark.parametrize(("mean", "log_variance", "logit"), list(itertools.product([-1e4, 0.0, 1e4], repeat=3)))
def test_loss_and_gradients_are_finite_for_extreme_means_log_variances_and_logits(mean, log_variance, logit):
    values = [tf.fill([3, 2], mean), tf.fill([3, 2], log_variance), tf.fill([3, 784], logit)]
    noise = tf.constant([[-5.0, 5.0], [0.0, 1.0], [3.0, -1.0]])
    targets = tf.cast(tf.reshape(tf.range(3 * 784) % 3, [3, 784]), tf.float32) / 2
    with tf.GradientTape() as tape:
        tape.watch(values)
        z = vae.sample(values[0], values[1], noise)
        loss = (
            nn.losses.sigmoid_cross_entropy(targets, values[2], reduce=tf.reduce_sum)
            + nn.losses.kl_to_unit_gaussian(values[0], values[1])
            + tf.reduce_sum(z, axis=1)
        )
        loss = tf.reduce_mean(loss)
    for tensor in (z, loss, *tape.gradient(loss, values)):
        assert np.isfinite(tensor).all()


def test_a_sample_is_exact_where_the_variance_is_moderate():
    mean, log_variance, noise = np.float32([[-3, 0.5]]), np.float32([[-8, 20]]), np.float32([[2, -1]])
    expected = mean + np.exp(log_variance / 2) * noise
    np.testing.assert_allclose(vae.sample(mean, log_variance, noise), expected, rtol=1e-6)


@pytest.mark.parametrize("where", ["mean", "log_variance", "logits"])
@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_a_step_and_both_bounds_of_an_extreme_network_are_finite(sample, where, value):
    case = make(iwae=3)
    network = case.network
    layer = {"mean": network.mean, "log_variance": network.log_variance, "logits": network.decoder.layers[-1]}[where]
    layer.bias.assign(tf.fill(layer.bias.shape, value))
    batch = {name: tf.constant(array) for name, array in first(sample, 20).items()}
    assert all(np.isfinite(v) for v in case.train_step(batch).values())
    assert all(np.isfinite(v).all() for v in case.variables)
    assert all(np.isfinite(v) for v in case.evaluate(pipeline.in_order(first(sample, 20), 20)).values())


# Evaluation


def test_both_bounds_equal_numpy(sample, monkeypatch):
    monkeypatch.setattr(vae, "_BLOCK", 60)
    case = shake(make(iwae=7, seed=5))
    values = case.evaluate(pipeline.in_order(first(sample, 100, "test"), 100))
    reference, x = Reference(case), scaled(sample.test["images"][:100])
    mean, log_variance = reference.encode(x)

    def noise(stream, number, rows):
        return nn.random.normal([rows, 2], nn.random.at_step(nn.random.fold(5, stream), number)).numpy()

    noises = np.concatenate([noise("test_noise", 0, 60), noise("test_noise", 1, 40)])
    reconstruction = -reference.log_likelihood(x, mean + np.exp(log_variance / 2) * noises)
    divergence = 0.5 * np.sum(np.exp(log_variance) + mean**2 - 1 - log_variance, axis=1)
    assert values["reconstruction"] == pytest.approx(reconstruction.mean(), rel=1e-5)
    assert values["kl"] == pytest.approx(divergence.mean(), rel=1e-5)
    assert values["negative_elbo"] == pytest.approx((reconstruction + divergence).mean(), rel=1e-5)
    log_weights = []
    for k in range(7):
        e = np.concatenate([noise("iwae", k, 60), noise("iwae", 7 + k, 40)]).astype(np.float64)
        z = mean + np.exp(log_variance / 2) * e
        log_prior = -0.5 * np.sum(z**2 + np.log(2 * np.pi), axis=1)
        log_posterior = -0.5 * np.sum(e**2 + log_variance + np.log(2 * np.pi), axis=1)
        log_weights.append(reference.log_likelihood(x, z) + log_prior - log_posterior)
    expected = math.log(7) - logsumexp(log_weights, axis=0)
    assert values["negative_iwae"] == pytest.approx(expected.mean(), rel=1e-5)


def test_the_importance_weighted_bound_lies_between_the_elbo_and_the_likelihood(sample):
    case = shake(make(iwae=300))
    few = first(sample, 12, "test")
    values = case.evaluate(pipeline.in_order(few, 12))
    # The integral over the plane, by the rectangle rule.
    axis = np.linspace(-7, 7, 141)
    z = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    logits = Reference(case).decode(z)
    log_joint = (
        scaled(few["images"]) @ logits.T
        - np.logaddexp(0, logits).sum(axis=1)
        - 0.5 * np.square(z).sum(axis=1)
        - np.log(2 * np.pi)
    )
    likelihood = -np.mean(logsumexp(log_joint, axis=1) + 2 * np.log(axis[1] - axis[0]))
    assert values["negative_iwae"] == pytest.approx(likelihood, abs=0.1)  # tight after 300 draws of a broad posterior
    assert values["negative_elbo"] > likelihood + 0.5


def test_more_draws_raise_the_bound_on_average(sample):
    few = first(sample, 300, "test")
    bounds = [shake(make(iwae=k)).evaluate(pipeline.in_order(few, 300))["negative_iwae"] for k in (1, 5, 50)]
    assert bounds[0] > bounds[1] > bounds[2]
    assert "negative_iwae" not in make().evaluate(pipeline.in_order(few, 300))


@pytest.mark.parametrize("binarize", ["none", "dynamic"])
def test_an_examples_noise_does_not_depend_on_the_batches(sample, binarize):
    case = make(binarize=binarize, iwae=2)
    values = [case.evaluate(pipeline.in_order(sample.test, batch)) for batch in (1000, 500, 130, 7)]
    for other in values[1:]:
        assert other == pytest.approx(values[0], rel=1e-7)


def test_the_conclusion_gives_the_bound_and_its_parts(sample):
    values = {"negative_elbo": 150.524, "reconstruction": 144.02, "kl": 6.504}
    text = "Test negative ELBO 150.52 nats per example: reconstruction 144.02 + KL 6.50."
    assert make().conclude(sample, values) == text
    with_draws = make(iwae=100).conclude(sample, values | {"negative_iwae": 146.119})
    assert with_draws == text + " Importance-weighted bound of 100 draws: 146.12."


# Pictures


def transparent(case):
    """A decoder whose first pixel shows the first latent, the second pixel the second: sigmoid(z)."""
    hidden, logits = case.network.decoder.layers
    for variable in case.network.decoder.variables:
        variable.assign(tf.zeros_like(variable))
    through = np.zeros([case.config.latent_dim, 256], np.float32)
    through[[0, 1], [0, 1]] = 1
    shift = np.zeros(256, np.float32)
    shift[:2] = 10  # keeps relu's inputs positive
    out = np.zeros([256, 784], np.float32)
    out[[0, 1], [0, 1]] = 1
    hidden.kernel.assign(through)
    hidden.bias.assign(shift)
    logits.kernel.assign(out)
    logits.bias.assign([-10, -10] + [-30] * 782)
    return case


def cells(picture):
    """[rows, columns, 28, 28] of a picture of 28x28 cells without borders."""
    rows, columns = picture.shape[0] // 28, picture.shape[1] // 28
    return picture[..., 0].reshape(rows, 28, columns, 28).swapaxes(1, 2)


@pytest.mark.parametrize("latent_dim", [2, 3])
def test_the_manifolds_rows_show_the_second_latent_descending_and_columns_the_first_ascending(sample, latent_dim):
    pictures = transparent(make(latent_dim=latent_dim)).pictures(Source("", {"test": first(sample, 60, "test")}, INFO))
    for name, values in (
        ("manifold", np.linspace(-4, 4, 20)),
        ("manifold_quantiles", ndtri((np.arange(20) + 0.5) / 20)),
    ):
        made = cells(pictures[name])
        assert made.shape == (20, 20, 28, 28)
        grey = 255 * expit(values)
        np.testing.assert_allclose(made[:, :, 0, 0], np.broadcast_to(grey, [20, 20]), atol=0.51)
        np.testing.assert_allclose(made[:, :, 0, 1], np.broadcast_to(grey[::-1, None], [20, 20]), atol=0.51)
        assert not made[:, :, 1:].any()


def test_the_manifold_is_decoded_in_one_call(monkeypatch):
    case, asked = make(), []
    decoded = case._generate
    monkeypatch.setattr(case, "_generate", lambda z: asked.append(z.shape) or decoded(z))
    (picture,) = case.samples().values()
    assert asked == [(400, 2)]
    assert picture.shape == (560, 560, 1)


def test_further_latents_are_zero_and_a_single_one_gives_a_row():
    np.testing.assert_array_equal(vae.grid([-1, 1], 3), [[-1, 1, 0], [1, 1, 0], [-1, -1, 0], [1, -1, 0]])
    np.testing.assert_array_equal(vae.grid([-1, 0, 1], 1), [[-1], [0], [1]])
    assert make(latent_dim=1).samples()["manifold"].shape == (28, 560, 1)


@pytest.mark.parametrize("latent_dim", [1, 2, 10])
def test_pictures_and_points_of_any_latent(sample, latent_dim):
    case = make(latent_dim=latent_dim)
    pictures = case.pictures(sample)
    assert set(pictures) == {"latent_means", "manifold", "manifold_quantiles", "reconstructions", "samples"}
    assert pictures["reconstructions"].shape == (5 * 57 + 1, 10 * 29 + 1, 1)
    assert pictures["samples"].shape == (10 * 29 + 1, 10 * 29 + 1, 1)
    embedding = case.embedding(sample)
    if latent_dim == 1:
        assert embedding is None
        return
    vectors, labels, thumbnails = embedding
    expected, _ = Reference(case).encode(scaled(sample.test["images"]))
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert labels == [str(label) for label in sample.test["labels"]]
    np.testing.assert_array_equal(thumbnails, sample.test["images"])


def test_reconstructions_are_shown_under_their_originals(sample):
    case = make()
    few = Source("", {"test": first(sample, 12, "test")}, INFO)
    shown = case.pictures(few)["reconstructions"]
    np.testing.assert_array_equal(shown[1:29, 1:29], sample.test["images"][0])
    reference = Reference(case)
    mean, _ = reference.encode(scaled(sample.test["images"][:1]))
    expected = 255 * expit(reference.decode(mean)).reshape(28, 28, 1)
    np.testing.assert_allclose(shown[29:57, 1:29], expected, atol=0.52)


def test_twenty_pictures_of_the_manifold_are_taken_unless_told_otherwise():
    for given, every in ((dict(steps=30_000), 1500), (dict(steps=30), 2), (dict(steps=30, sample_every=7), 7)):
        assert VAE.Config.resolve(given).with_examples(1000).sample_every == every


# Bad input


def test_a_latent_of_no_numbers_is_refused():
    with pytest.raises(UsageError, match=r"^--latent_dim is 0, but must be at least 1\.$"):
        VAE.Config.resolve({"latent_dim": 0})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"beta": -1.0}, r"^--beta is -1\.0, but must be at least 0\.$"),
        ({"iwae": -1}, r"^--iwae is -1, but must be at least 0\.$"),
        ({"input_dropout": 1.0}, r"^--input_dropout is 1\.0, but must be at most 0\.9\.$"),
        ({"binarize": "yes"}, r"^--binarize is 'yes', but must be one of none, static, dynamic\.$"),
    ],
)
def test_other_values_that_mean_nothing_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        VAE.Config.resolve(given)


def test_a_loss_that_is_not_finite_stops_with_the_step(tmp_path):
    given = {"dataset": "mnist_sample", "learning_rate": 1e30, "steps": 20, "workdir": str(tmp_path)}
    with pytest.raises(RunError, match=r"^the metrics became infinite or NaN at step [2-4]; no checkpoint was saved"):
        training.train(VAE, VAE.Config.resolve(given))


def test_the_best_recipe_changes_defaults_that_were_not_given():
    config = VAE.Config.resolve({"recipe": "best", "epochs": 7.0})
    assert (config.epochs, config.schedule, config.batch_size, config.latent_dim) == (7, "cosine", 100, 2)
    assert config.input_dropout > 0


# Exports


@pytest.fixture(scope="module", params=["none", "static"])
def exported(request, tmp_path_factory):
    """(case, Model); the check in a fresh process has its own tests."""
    case = shake(make(latent_dim=3, binarize=request.param))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "in_fresh_process", lambda *args: None)
        path = export.export_case(case, str(tmp_path_factory.mktemp("exports") / "model"), warmup=False)
    return case, Model(path)


def test_the_saved_model_encodes_decodes_and_reconstructs_like_numpy_and_the_live_model(exported, sample):
    case, model = exported
    images = sample.test["images"][:20].astype(np.float32) / 255
    x = scaled(sample.test["images"][:20])
    reference = Reference(case)
    mean, log_variance = reference.encode(x >= 0.5 if case.config.binarize == "static" else x)
    encoded = model.call("encode", images=images)
    np.testing.assert_allclose(encoded["mean"], mean, atol=1e-5)
    np.testing.assert_allclose(encoded["log_variance"], log_variance, atol=1e-5)
    decoded = model.call("decode", z=encoded["mean"])["images"]
    np.testing.assert_allclose(decoded, expit(reference.decode(mean)).reshape(-1, 28, 28, 1), atol=1e-5)
    np.testing.assert_allclose(decoded, case._generate(encoded["mean"]), atol=1e-5)
    np.testing.assert_allclose(model.call("serving_default", images=images)["reconstructions"], decoded, atol=1e-5)
    files = model.call("decode_bytes", z=encoded["mean"])["image_bytes"]
    pixels = np.stack([tf.io.decode_png(file).numpy() for file in files])
    np.testing.assert_allclose(pixels, 255 * decoded, atol=0.51)


@pytest.mark.parametrize("signature", ["decode", "decode_bytes"])
def test_z_of_the_wrong_width_is_an_error_at_once(exported, signature):
    _, model = exported
    expected = rf"input 'z' of signature '{signature}' is float32 \(2, 4\), but must be float32 \(None, 3\)"
    with pytest.raises(UsageError, match=expected):
        model.call(signature, z=np.zeros([2, 4]))
    # Without the check of this project's client, as another program would ask.
    loaded = tf.saved_model.load(model.path)
    with pytest.raises((tf.errors.InvalidArgumentError, TypeError, ValueError)) as caught:
        loaded.signatures[signature](z=tf.zeros([2, 4]))
    assert re.search(r"\[?2,\s?4\]?|\(2, 4\)", str(caught.value))
