"""Losses of generative adversarial networks, from the discriminator's logits, one value for each example.

`LOSSES[name]` is a pair of functions: the discriminator's loss of (real logits, fake logits), and the generator's of
the fake logits; logits float32 [N], losses float32 [N].
"""

from collections.abc import Callable

import tensorflow as tf

LOSSES: dict[str, tuple[Callable[[tf.Tensor, tf.Tensor], tf.Tensor], Callable[[tf.Tensor], tf.Tensor]]] = {
    # Goodfellow et al. 2014, arXiv 1406.2661; the generator's in its non-saturating form. The cross-entropy is
    # log(1 + exp(-x)) for the target 1 and log(1 + exp(x)) for 0, which softplus computes safely for any logit.
    "standard": (lambda real, fake: tf.nn.softplus(-real) + tf.nn.softplus(fake), lambda fake: tf.nn.softplus(-fake)),
    # Lim and Ye 2017, arXiv 1705.02894.
    "hinge": (lambda real, fake: tf.nn.relu(1 - real) + tf.nn.relu(1 + fake), lambda fake: -fake),
    # Mao et al. 2016, arXiv 1611.04076, with the targets 0 and 1 (equation 9).
    "least_squares": (
        lambda real, fake: 0.5 * (tf.square(real - 1) + tf.square(fake)),
        lambda fake: 0.5 * tf.square(fake - 1),
    ),
    # Arjovsky et al. 2017, arXiv 1701.07875; to be used with `gradient_penalty`.
    "wasserstein_gp": (lambda real, fake: fake - real, lambda fake: -fake),
}


def gradient_penalty(
    discriminate: Callable[[tf.Tensor], tf.Tensor], real: tf.Tensor, fake: tf.Tensor, share: tf.Tensor
) -> tf.Tensor:
    """(|gradient of the logit| - 1)^2 at points between real and fake pictures.

    Gulrajani et al. 2017, arXiv 1704.00028, equation 3, without its factor (10 there).

    Args:
      discriminate: pictures [N, H, W, C] -> logits float32 [N], where each logit depends on its own picture only.
      real, fake: [N, H, W, C].
      share: float32 [N, 1, 1, 1] in [0, 1], how far each point lies from the fake to the real picture.

    Returns:
      float32 [N].
    """
    share = tf.cast(share, real.dtype)
    between = share * real + (1 - share) * fake
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(between)
        logits = discriminate(between)
    slopes = tf.cast(tf.convert_to_tensor(tape.gradient(logits, between)), tf.float32)
    # The square root has no slope at 0.
    norms = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1, 2, 3]) + 1e-12)
    return tf.square(norms - 1)
