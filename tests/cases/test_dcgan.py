"""Case 8, DCGAN: one iteration against Keras layers, the statistics, the alternation, losses, sampling, bad input."""

import dataclasses
import itertools
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf2cases import nn
from tf2cases.cases import DCGAN, dcgan
from tf2cases.data import pipeline
from tf2cases.errors import UsageError
from tf2cases.training import gan_watch, steps

DIGITS, FACES = [28, 28, 1], [64, 64, 3]
ROWS = 4  # few, since every activation near a kink is a chance for rounding to change a gradient


def make(shape=None, **given):
    return DCGAN(DCGAN.Config.resolve({"steps": 100, **given}), {"image_shape": shape or DIGITS})


def batch_of(shape, rows=ROWS):
    return {"images": tf.constant(np.random.default_rng(0).integers(0, 256, [rows, *shape], np.uint8))}


# The referee: Keras layers, called one by one, every pass made anew


class KerasPair:
    """Both networks from Keras' layers, the generator's with the activation `relu`, the discriminator's `leaky`."""

    def __init__(self, shape, relu, leaky):
        layers, channels = keras.layers, shape[2]
        side = 3 if shape[0] == 28 else 4

        def norm():
            # The batch's own statistics; Keras' moving ones use another estimate of the variance and are not looked at.
            return layers.BatchNormalization(momentum=0.9, epsilon=0.001, scale=False)

        last = dict(strides=1, padding="valid") if side == 3 else dict(strides=2, padding="same")
        self.generator = [layers.Dense(side * side * 512), layers.Reshape([side, side, 512])]
        self.generator += [norm(), layers.Activation(relu)]
        for filters in (256, 128, 64):
            self.generator += [layers.Conv2DTranspose(filters, 5, 2, padding="same"), norm(), layers.Activation(relu)]
        self.generator += [layers.Conv2DTranspose(channels, 5, activation="tanh", **last)]
        self.discriminator = []
        for filters in (64, 128, 256, 512):
            self.discriminator.append(layers.Conv2D(filters, 5, 2, padding="same"))
            self.discriminator += [norm()] if filters > 64 else []
            self.discriminator.append(layers.Activation(leaky))
        self.discriminator += [layers.Flatten(), layers.Dense(1)]
        self.generate(tf.zeros([2, 100]))
        self.judge(tf.zeros([2, *shape]))

    def run(self, layers, x, taps=None):
        for layer in layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                if taps is not None:
                    taps.append(x.numpy())
                x = layer(x, training=True)
            else:
                x = layer(x)
        return x

    def generate(self, z, taps=None):
        return self.run(self.generator, z, taps)

    def judge(self, x, taps=None):
        return self.run(self.discriminator, x, taps)

    def weights(self, layers):
        return [w for layer in layers for w in layer.trainable_variables]

    def take(self, snapshot):
        """Takes the trainable weights of a case, (generator's, discriminator's)."""
        for layers, values in zip((self.generator, self.discriminator), snapshot, strict=True):
            for weight, value in zip(self.weights(layers), values, strict=True):
                weight.assign(value)

    def d_gradients(self, real, z):
        with tf.GradientTape() as tape:
            x, y = self.judge(real), self.judge(self.generate(z))
            entropy = tf.nn.sigmoid_cross_entropy_with_logits
            loss = tf.reduce_mean(entropy(tf.ones_like(x), x)) + tf.reduce_mean(entropy(tf.zeros_like(y), y))
        return loss, tape.gradient(loss, [w.value for w in self.weights(self.discriminator)])

    def g_gradients(self, z):
        with tf.GradientTape() as tape:
            y = self.judge(self.generate(z))
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.ones_like(y), y))
        return loss, tape.gradient(loss, [w.value for w in self.weights(self.generator)])


def ordered(network):
    """A network's trainable variables layer by layer, kernel before bias as in Keras."""
    return [getattr(layer, n) for layer in network.layers for n in ("kernel", "bias", "offset") if hasattr(layer, n)]


def snapshot(case):
    return [[v.numpy() for v in ordered(network)] for network in (case.generator, case.discriminator)]


@dataclasses.dataclass
class Iteration:
    case: DCGAN
    real: tf.Tensor
    z: tf.Tensor
    start: list  # the weights before
    updates: list  # (network's name, the weights before, {variable's id: gradient}) of each update
    values: dict


def iterate(shape, seed):
    """One D-G-G iteration on random pictures, its updates recorded."""
    case, batch = make(shape, seed=seed), batch_of(shape)
    for v in case.trainable_variables:  # biases and offsets that are not zero, so that a mistake in them shows
        if v.shape.rank == 1:
            v.assign(np.random.default_rng(len(v.name)).normal(size=v.shape) * 0.05)
    updates, start = [], snapshot(case)

    def record(name, optimizer):
        apply = optimizer.apply

        def wrapped(self, gradients):
            pairs = zip(self.variables_to_train(), gradients, strict=True)
            updates.append((name, snapshot(case), {id(v): g.numpy() for v, g in pairs}))
            return apply(gradients)

        optimizer.apply = types.MethodType(wrapped, optimizer)

    record("discriminator", case.d_optimizer)
    record("generator", case.g_optimizer)
    z = case._latents(ROWS, 0)
    values = {k: float(v) for k, v in case.train_step(batch).items()}
    real = tf.cast(batch["images"], tf.float32) / 127.5 - 1
    return Iteration(case, real, z, start, updates, values)


def kinked(x):
    return keras.activations.leaky_relu(x, 0.2)


def smooth(x):
    """Like a leaky relu, without the kink."""
    return 0.2 * x + 0.8 * tf.math.softplus(x)


# With kinks, one activation out of a million that rounding puts on the other side changes a gradient by a thousandth.
# So gradients are compared with smooth activations in both, and losses with the true ones.


@pytest.fixture(scope="module", params=[DIGITS, FACES], ids=["28x28x1", "64x64x3"])
def smooth_iteration(request):
    """An iteration with smooth activations, and Keras layers with the same ones."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tf.nn, "relu", tf.math.softplus)
        patched.setattr(dcgan, "_leaky_relu", smooth)
        return iterate(request.param, 0), KerasPair(request.param, tf.math.softplus, smooth)


@pytest.mark.parametrize("shape", [DIGITS, FACES], ids=["28x28x1", "64x64x3"])
def test_the_losses_are_those_of_keras_layers_with_their_own_activations(shape):
    iteration, pair = iterate(shape, 0), KerasPair(shape, "relu", kinked)
    losses = {}
    for name, weights, _ in iteration.updates:
        pair.take(weights)
        d = name == "discriminator"
        loss, _ = pair.d_gradients(iteration.real, iteration.z) if d else pair.g_gradients(iteration.z)
        losses["d_loss" if d else "g_loss"] = float(loss)  # of the generator the last one
    for name, loss in losses.items():
        assert iteration.values[name] == pytest.approx(loss, rel=1e-5), name


def test_each_gradient_of_d_g_g_is_that_of_keras_layers_with_the_same_weights(smooth_iteration):
    iteration, pair = smooth_iteration
    for name, weights, ours in iteration.updates:
        pair.take(weights)
        network = getattr(iteration.case, name)
        if name == "discriminator":
            _, theirs = pair.d_gradients(iteration.real, iteration.z)
        else:
            _, theirs = pair.g_gradients(iteration.z)
        # A bias before a batch norm has no effect, and its gradient is nothing but rounding.
        names = [layer.name for layer in network.layers]
        normed = [n for n, after in itertools.pairwise(names) if after.startswith(("norm", "reshape"))]
        idle = {id(layer.bias) for layer in network.layers if layer.name in normed and hasattr(layer, "bias")}
        assert len(idle) == (3 if name == "discriminator" else 4)
        for variable, gradient in zip(ordered(network), theirs, strict=True):
            if id(variable) not in idle:
                gradient, scale = gradient.numpy(), np.abs(gradient).max()
                np.testing.assert_allclose(ours[id(variable)], gradient, 0, 1e-4 * scale, err_msg=variable.name)
    assert [name for name, _, _ in iteration.updates] == ["discriminator", "generator", "generator"]


def test_after_the_iteration_the_weights_are_those_of_keras_with_its_own_adam(smooth_iteration):
    iteration, pair = smooth_iteration
    pair.take(iteration.start)
    adam = dict(learning_rate=0.0002, beta_1=0.5, beta_2=0.999, epsilon=1e-8)
    d_adam, g_adam = keras.optimizers.Adam(**adam), keras.optimizers.Adam(**adam)
    d_adam.apply(pair.d_gradients(iteration.real, iteration.z)[1], pair.weights(pair.discriminator))
    for _ in range(2):
        g_adam.apply(pair.g_gradients(iteration.z)[1], pair.weights(pair.generator))
    networks = (iteration.case.generator, pair.generator), (iteration.case.discriminator, pair.discriminator)
    for network, layers in networks:
        for variable, theirs in zip(ordered(network), pair.weights(layers), strict=True):
            if variable.shape.rank > 1:
                off = np.abs(variable.numpy() - theirs.numpy())
                assert (off < 1e-5).mean() >= 0.99, variable.name
                assert off.max() < 1e-3, variable.name


def moved(batches):
    """Moving mean and variance after each of these batches [..., channels], from 0 and 1, with momentum 0.9."""
    mean, variance = 0.0, 1.0
    for x in batches:
        x = x.reshape(-1, x.shape[-1]).astype(np.float64)
        mean = 0.9 * mean + 0.1 * x.mean(axis=0)
        variance = 0.9 * variance + 0.1 * x.var(axis=0, ddof=1)  # the fused kernel's unbiased estimate
    return mean, variance


def test_statistics_move_once_for_each_pass_of_the_generator_and_for_the_discriminators_own_two(smooth_iteration):
    iteration, pair = smooth_iteration
    case = iteration.case
    first, second = [], []  # what each batch norm of the generator saw in its two passes
    pair.take(iteration.start)
    fake = pair.generate(iteration.z, first)
    real_taps, fake_taps = [], []
    pair.judge(iteration.real, real_taps)
    pair.judge(fake, fake_taps)
    pair.take(iteration.updates[2][1])  # after the generator's first update
    pair.generate(iteration.z, second)
    for network, passes in ((case.generator, (first, second)), (case.discriminator, (real_taps, fake_taps))):
        norms = [layer for layer in network.layers if isinstance(layer, nn.BatchNorm)]
        assert len(norms) == len(passes[0])
        for norm, *seen in zip(norms, *passes, strict=True):
            mean, variance = moved(seen)
            np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-3, atol=1e-5 * np.abs(mean).max())
            np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-3)


# The networks


@pytest.mark.parametrize(("shape", "parameters"), [(DIGITS, 9_075_522), (FACES, 9_450_052)])
def test_the_number_of_trainable_parameters(shape, parameters):
    assert sum(np.prod(v.shape) for v in make(shape).trainable_variables) == parameters


@pytest.mark.parametrize("size", [12, 28, 32, 44, 128])
def test_every_size_that_the_rule_allows_is_generated(size):
    network = dcgan.generator(size, 3)
    assert network.create((None, 5), 0) == (None, size, size, 3)


@pytest.mark.parametrize("size", [30, 40, 50, 65])
def test_other_sizes_are_refused(size):
    message = rf"--size is {size}, but must be a multiple of 16, or 4 more than a multiple of 8\."
    with pytest.raises(UsageError, match=message):
        DCGAN.Config(dataset="toy_faces", size=size)


# The step's other forms


def applied(case):
    """How often each optimizer has been applied."""
    return int(case.d_optimizer.iterations), int(case.g_optimizer.iterations)


@pytest.mark.parametrize(("d_steps", "g_steps"), [(1, 1), (3, 1), (2, 3)])
def test_the_alternation_can_be_changed(d_steps, g_steps):
    case = make([12, 12, 1], d_steps=d_steps, g_steps=g_steps)
    case.train_step(batch_of([12, 12, 1]))
    assert applied(case) == (d_steps, g_steps)


def d_loss(loss, real, fake):
    """Means of the published formulas, in NumPy, from float64 [N] outputs for real and generated pictures."""
    return {
        "standard": -np.log(1 / (1 + np.exp(-real))).mean() - np.log(1 - 1 / (1 + np.exp(-fake))).mean(),
        "hinge": np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(),
        "least_squares": ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2,
        "wasserstein_gp": fake.mean() - real.mean(),
    }[loss]


def g_loss(loss, fake):
    return {
        "standard": -np.log(1 / (1 + np.exp(-fake))).mean(),
        "hinge": -fake.mean(),
        "least_squares": ((fake - 1) ** 2).mean() / 2,
        "wasserstein_gp": -fake.mean(),
    }[loss]


@pytest.mark.parametrize(
    ("loss", "spectral_norm"), [*((loss, False) for loss in nn.adversarial.LOSSES), ("hinge", True)]
)
def test_an_update_lowers_its_networks_own_loss(loss, spectral_norm):
    # A step so small that the first order decides.
    case = make([12, 12, 1], loss=loss, spectral_norm=spectral_norm, learning_rate=1e-6)
    batch = batch_of([12, 12, 1])
    real, z = tf.cast(batch["images"], tf.float32) / 127.5 - 1, case._latents(ROWS, 0)

    def measure(of):
        fake = case.generator(z, is_training=True, update_statistics=False)
        with tf.GradientTape() as tape:
            tape.watch(real)
            outputs = case._judge(real)
        slopes = np.sqrt((tape.gradient(outputs, real).numpy() ** 2).sum((1, 2, 3)))
        x, y = outputs.numpy().astype(np.float64), case._judge(fake).numpy().astype(np.float64)
        if of == "generator":
            return g_loss(loss, y)
        # The penalty moves the slopes to 1; at first they are near 0, and it outweighs the rest.
        return ((slopes - 1) ** 2).mean() if loss == "wasserstein_gp" else d_loss(loss, x, y)

    measured = {"generator": [], "discriminator": []}
    for name, optimizer in (("generator", case.g_optimizer), ("discriminator", case.d_optimizer)):

        def wrapped(self, gradients, name=name, apply=optimizer.apply):
            before = measure(name)
            result = apply(gradients)
            measured[name].append((before, measure(name)))
            return result

        optimizer.apply = types.MethodType(wrapped, optimizer)
    values = case.train_step(batch)
    assert [len(measured[name]) for name in ("discriminator", "generator")] == [1, 2]
    for name, pairs in measured.items():
        for before, after in pairs:
            assert after < before, name
    assert float(values["g_loss"]) == pytest.approx(measured["generator"][1][0], rel=1e-4, abs=1e-5)
    if loss != "wasserstein_gp":  # whose loss has the penalty at points in between, too
        # With spectral norm, every pass of the step improves the estimate of the largest singular value.
        rel = 1e-3 if spectral_norm else 1e-4
        assert float(values["d_loss"]) == pytest.approx(measured["discriminator"][0][0], rel=rel)


@pytest.mark.parametrize(
    ("given", "normalised"), [({}, 3), ({"spectral_norm": True}, 0), ({"loss": "wasserstein_gp"}, 0)]
)
def test_batch_norm_is_left_out_where_it_would_mix_the_rows_of_a_penalised_batch(given, normalised):
    case = make(**given)
    assert sum(isinstance(layer, nn.BatchNorm) for layer in case.discriminator.layers) == normalised


def test_the_average_of_the_generator_is_what_is_sampled():
    case = make([12, 12, 1], ema=0.9)
    case.train_step(batch_of([12, 12, 1]))
    z = case.latents(3, 0)
    expected = (case.average.network(z, is_training=False) + 1) / 2
    np.testing.assert_array_equal(case.generate(z), expected)
    assert np.abs(case.generate(z) - (case.generator(z, is_training=False) + 1) / 2).max() > 0


def test_every_iteration_has_latents_of_its_own_in_minus_1_to_1():
    case = make()
    first = case._latents(50, 0).numpy()
    case.step.assign_add(1)
    second = case._latents(50, 0).numpy()
    assert (first != second).mean() > 0.99
    assert (case._latents(50, 1).numpy() != second).mean() > 0.99
    for drawn in (first, second):
        assert -1 <= drawn.min() < -0.99
        assert 0.99 < drawn.max() < 1
        assert drawn.std() == pytest.approx(1 / np.sqrt(3), rel=0.02)  # of a uniform draw


def test_a_longer_draw_of_latents_begins_with_the_shorter_one():
    case = make()
    np.testing.assert_array_equal(case.latents(70, 3)[:33], case.latents(33, 3))
    assert (case.latents(33, 3).numpy() != case.latents(33, 4).numpy()).mean() > 0.99


def test_a_picture_depends_on_its_own_latents_only():
    case, z = make(), make().latents(5, 0)
    np.testing.assert_allclose(case.generate(z)[2:3], case.generate(z[2:3]), atol=1e-6)


def test_the_montage_shows_the_same_hundred_latents_each_time():
    case = make([12, 12, 1])
    one, two = case.samples()["sample"], case.samples()["sample"]
    np.testing.assert_array_equal(one, two)
    assert one.shape == (10 * 13 + 1, 10 * 13 + 1, 1)
    shown = np.rint(case.generate(case.latents(100, 0)).numpy()[11] * 255)
    np.testing.assert_array_equal(one[14:26, 14:26], shown)  # second row, second column
    assert set(np.unique(one[0])) == {128}


# What is said and refused


def history(real, fake, count):
    values = dict.fromkeys(DCGAN.metric_names, 0.0) | {"d_real": real, "d_fake_before": fake}
    return [{"step": i, "split": "train", "values": values} for i in range(count)]


def test_a_discriminator_that_is_sure_of_everything_for_long_brings_a_warning():
    case, long = make([12, 12, 1]), gan_watch.SATURATED_REPORTS
    assert "--spectral_norm or --loss=hinge may help" in case.warning(history(0.999, 0.001, long))
    assert case.warning(history(0.999, 0.001, long - 1)) == ""
    assert case.warning(history(0.9, 0.001, long)) == ""
    assert case.warning(history(0.999, 0.1, long)) == ""
    assert case.warning(history(0.999, 0.001, long) + history(0.9, 0.1, 1)) == ""
    assert case.warning(history(0.999, 0.001, long + 1)) == ""  # said already
    assert case.warning(history(0.999, 0.001, 2 * long)) != ""


@pytest.mark.parametrize("loss", ["hinge", "least_squares", "wasserstein_gp"])
def test_scores_are_not_taken_for_probabilities(loss):
    case, long = make([12, 12, 1], loss=loss), gan_watch.SATURATED_REPORTS
    assert case.warning(history(8.0, -8.0, long)) == ""
    assert "mean score is 8.000 for held-out pictures and -8.000 for generated ones;" in case.conclude(
        None, {"d_real": 8.0, "d_fake": -8.0}
    )
    metrics = case.train_step(batch_of([12, 12, 1], rows=4))
    output = case._judge(2 * tf.cast(batch_of([12, 12, 1], rows=4)["images"], tf.float32) / 255 - 1)
    assert output.shape == [4]
    case.discriminator.layers[-1].bias.assign([50.0])
    before = metrics["d_real"]
    assert case.train_step(batch_of([12, 12, 1], rows=4))["d_real"] > before + 40  # no sigmoid
    assert list(case.signatures()["discriminate"](tf.zeros([1, 12, 12, 1]))) == ["score"]
    assert case._belief(tf.zeros([1, 12, 12, 1]))[0] > 40


def test_the_standard_losses_conclusion_and_signature_speak_of_probabilities():
    case = make([12, 12, 1])
    text = case.conclude(None, {"d_real": 0.8, "d_fake": 0.1})
    assert "mean probability of being real is 0.800 for held-out pictures and 0.100 for generated ones;" in text
    assert list(case.signatures()["discriminate"](tf.zeros([1, 12, 12, 1]))) == ["probability"]


def test_digits_of_another_size_are_refused():
    with pytest.raises(UsageError, match=r"--size is 32, but must be 28 for --dataset=mnist_sample\."):
        DCGAN.Config(dataset="mnist_sample", size=32)


def test_a_set_smaller_than_a_batch_is_refused():
    with pytest.raises(UsageError, match=r"--batch_size is 5000, but must be at most 4000, the number of training"):
        DCGAN.Config(dataset="mnist_sample", batch_size=5000).with_examples(4000)


@pytest.mark.parametrize(("dataset", "every"), [("mnist", 1000), ("celeba", 500), ("folder", 500)])
def test_samples_checkpoints_and_evaluations_come_together(dataset, every):
    def cadences(**given):
        own = {"data_dir": "photos"} if dataset == "folder" else {}
        config = DCGAN.Config.resolve({"dataset": dataset, **own, **given}).with_examples(1000)
        return config.sample_every, config.checkpoint_every, config.eval_every

    assert cadences() == cadences(sample_every=0) == (every, every, every)
    assert cadences(sample_every=7, eval_every=9) == (7, 7, 9)
    assert DCGAN.Config().checkpoints_kept == 3  # 113 MB each for faces


def test_a_cosine_schedule_follows_the_iterations_and_not_each_networks_updates():
    case = make(DIGITS, steps=10, schedule="cosine")
    moved = []
    for step in range(10):
        case.step.assign(step)
        before = case.generator.trainable_variables[0].numpy()
        case.train_step(batch_of(DIGITS))
        moved.append(np.abs(case.generator.trainable_variables[0].numpy() - before).max())
    # Two updates an iteration would be at the schedule's end, a rate of 0, after five iterations.
    expected = 0.0002 * (1 + np.cos(np.pi * np.arange(10) / 10)) / 2
    assert np.all(np.array(moved) > 0.05 * expected)
    assert moved[9] < 0.2 * moved[0]


def test_the_original_settings_are_the_defaults():
    config = DCGAN.Config()
    assert (config.steps, config.batch_size, config.learning_rate, config.latent_dim) == (60000, 100, 0.0002, 100)
    assert (config.d_steps, config.g_steps, config.loss, config.ema) == (1, 2, "standard", 0)


def test_two_replicas_hold_the_same_networks_afterwards(two_replicas, tmp_path):
    config = DCGAN.Config.resolve({"dataset": "mnist_sample", "batch_size": 4, "steps": 2}).with_examples(4000)
    source = DCGAN.load(config)
    with two_replicas.scope():
        case = DCGAN(config, {"image_shape": [28, 28, 1]})
        progress = steps.Progress(case.metric_names)
    assert steps.TracedSteps(case, pipeline.Batches(source.train, 4, 0), progress, two_replicas).many(2)
    for variable in case.trainable_variables:
        one, two = two_replicas.experimental_local_results(variable)
        np.testing.assert_array_equal(one, two)
