"""Losses of generative adversarial networks: one value per example, from the discriminator's outputs."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Loss:
    """The two losses of an adversarial game.

    Attributes:
      discriminator: (outputs for real pictures, outputs for generated ones), float32 [N] each -> float32 [N].
      generator: outputs for generated pictures, float32 [N] -> float32 [N].
      has_probability: whether the sigmoid of an output is the probability that the picture is real. Otherwise the
        output is a score: higher for real pictures, on no fixed scale.
    """

    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    generator: Callable[[tf.Tensor], tf.Tensor]
    has_probability: bool = False

    def belief(self, outputs: tf.Tensor) -> tf.Tensor:
        """Converts the discriminator's outputs to probabilities of being real, or returns them as scores."""
        return tf.sigmoid(outputs) if self.has_probability else outputs


LOSSES = {
    # Goodfellow et al. 2014, arXiv 1406.2661, with the non-saturating generator loss. softplus(-x) is the cross-entropy
    # for target 1 and softplus(x) for target 0; both are numerically stable for any x.
    "standard": Loss(
        lambda real, fake: tf.nn.softplus(-real) + tf.nn.softplus(fake),
        lambda fake: tf.nn.softplus(-fake),
        has_probability=True,
    ),
    # Lim and Ye 2017, arXiv 1705.02894.
    "hinge": Loss(lambda real, fake: tf.nn.relu(1 - real) + tf.nn.relu(1 + fake), lambda fake: -fake),
    # Mao et al. 2016, arXiv 1611.04076, with the targets 0 and 1 (equation 9).
    "least_squares": Loss(
        lambda real, fake: 0.5 * (tf.square(real - 1) + tf.square(fake)), lambda fake: 0.5 * tf.square(fake - 1)
    ),
    # Arjovsky et al. 2017, arXiv 1701.07875; use with `gradient_penalty`.
    "wasserstein_gp": Loss(lambda real, fake: fake - real, lambda fake: -fake),
}


def gradient_penalty(
    discriminate: Callable[[tf.Tensor], tf.Tensor], real: tf.Tensor, fake: tf.Tensor, share: tf.Tensor
) -> tf.Tensor:
    """(|gradient of the logit| - 1)^2 at points between real and fake pictures.

    Gulrajani et al. 2017, arXiv 1704.00028, equation 3, without the weight lambda (10 in the paper).

    Args:
      discriminate: pictures [N, H, W, C] -> logits float32 [N], where each logit depends on its own picture only.
      real, fake: [N, H, W, C].
      share: float32 [N, 1, 1, 1] in [0, 1], the weight of the real picture in each interpolated point.

    Returns:
      float32 [N].
    """
    share = tf.cast(share, real.dtype)
    between = share * real + (1 - share) * fake
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(between)
        logits = discriminate(between)
    slopes = tf.cast(tf.convert_to_tensor(tape.gradient(logits, between)), tf.float32)
    # 1e-12 keeps the gradient of the square root finite at 0.
    norms = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1, 2, 3]) + 1e-12)
    return tf.square(norms - 1)
