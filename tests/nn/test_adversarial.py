"""Losses of generative adversarial networks, against their papers' formulas in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases.nn import adversarial

REAL, FAKE = np.float32([2.0, -1.0, 0.3]), np.float32([-3.0, 0.5, 1.5])


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


EXPECTED = {
    "standard": (-np.log(sigmoid(REAL)) - np.log(1 - sigmoid(FAKE)), -np.log(sigmoid(FAKE))),
    "hinge": (np.maximum(0, 1 - REAL) + np.maximum(0, 1 + FAKE), -FAKE),
    "least_squares": ((REAL - 1) ** 2 / 2 + FAKE**2 / 2, (FAKE - 1) ** 2 / 2),
    "wasserstein_gp": (FAKE - REAL, -FAKE),
}


@pytest.mark.parametrize("name", adversarial.LOSSES)
def test_a_loss_is_its_papers_formula(name):
    discriminator, generator = adversarial.LOSSES[name].discriminator, adversarial.LOSSES[name].generator
    np.testing.assert_allclose(discriminator(tf.constant(REAL), tf.constant(FAKE)), EXPECTED[name][0], rtol=1e-5)
    np.testing.assert_allclose(generator(tf.constant(FAKE)), EXPECTED[name][1], rtol=1e-5)


@pytest.mark.parametrize("name", adversarial.LOSSES)
def test_a_loss_and_its_gradient_are_finite_for_extreme_logits(name):
    discriminator, generator = adversarial.LOSSES[name].discriminator, adversarial.LOSSES[name].generator
    logits = tf.constant([-1e4, 0.0, 1e4])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = tf.reduce_sum(discriminator(logits, logits) + generator(logits))
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, logits)).all()


def test_the_gradient_penalty_of_a_linear_discriminator_is_that_of_its_slope():
    slope = np.float32([[3.0, 0.0], [0.0, 4.0]])[..., None]  # of norm 5
    pictures = tf.zeros([2, 2, 2, 1])
    penalty = adversarial.gradient_penalty(
        lambda x: tf.reduce_sum(x * slope, axis=[1, 2, 3]), pictures, pictures + 1, tf.fill([2, 1, 1, 1], 0.5)
    )
    np.testing.assert_allclose(penalty, [16.0, 16.0], rtol=1e-5)  # (5 - 1)^2


def test_the_gradient_penalty_is_taken_between_fake_and_real():
    seen = []

    def discriminate(x):
        seen.append(x.numpy())
        return tf.reduce_sum(x, axis=[1, 2, 3])

    real, fake = tf.fill([2, 1, 1, 1], 10.0), tf.fill([2, 1, 1, 1], 20.0)
    adversarial.gradient_penalty(discriminate, real, fake, tf.reshape([0.0, 0.3], [2, 1, 1, 1]))
    np.testing.assert_allclose(seen[0].ravel(), [20.0, 17.0])


def test_only_the_standard_losses_output_is_a_probability():
    outputs = tf.constant([-8.0, 0.0, 8.0])
    np.testing.assert_allclose(adversarial.LOSSES["standard"].belief(outputs), sigmoid(outputs.numpy()), rtol=1e-6)
    for name in ("hinge", "least_squares", "wasserstein_gp"):
        np.testing.assert_array_equal(adversarial.LOSSES[name].belief(outputs), outputs)
