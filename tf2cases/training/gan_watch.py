"""Monitoring of GAN training: charts of the metrics, and a warning when the discriminator has saturated.

The metrics are those that `cases.dcgan` reports: the losses, the discriminator's mean belief (see
`nn.adversarial.Loss.belief`) for real pictures (`d_real`) and for generated ones in the discriminator's update
(`d_fake_before`) and in the generator's last update (`d_fake_after`), and the gradient norms.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf2cases import nn, viz

# The discriminator counts as saturated when its mean probabilities for real and generated pictures are beyond these
# limits in this many consecutive reports; the generator then learns next to nothing.
SATURATED_REAL, SATURATED_FAKE, SATURATED_REPORTS = 0.99, 0.01, 25


def curves(history: list[dict]) -> dict[str, np.ndarray]:
    """Charts of a run's reports (see `workdir.read_metrics`): {name: uint8 [H, W, 3]}."""
    reports = [report for report in history if report["split"] == "train"]
    steps = np.array([report["step"] for report in reports])

    def chart(title: str, **labels: str) -> np.ndarray:
        lines = {label: (steps, [r["values"][name] for r in reports]) for name, label in labels.items()}
        return viz.curves(lines, title)

    return {
        "loss": chart("Loss", d_loss="discriminator", g_loss="generator"),
        "beliefs": chart(
            "Discriminator", d_real="D(x)", d_fake_before="D(G(z)), D step", d_fake_after="D(G(z)), last G step"
        ),
        "gradient_norms": chart("Gradient norm", d_gradient_norm="discriminator", g_gradient_norm="generator"),
    }


def evaluate(
    dataset: tf.data.Dataset, discriminate: Callable[[tf.Tensor], tf.Tensor], generate: Callable[[int, int], tf.Tensor]
) -> dict[str, float]:
    """The discriminator's mean belief for held-out pictures and for the same number of generated ones.

    Args:
      dataset: batches with "images", uint8 [N, H, W, C].
      discriminate: pictures float32 [N, H, W, C] in [0, 1] -> beliefs float32 [N].
      generate: (i, j) -> the generated pictures i to j - 1, in the same format.

    Returns:
      {"d_real", "d_fake"}.
    """
    real, fake, seen = nn.metrics.Mean(), nn.metrics.Mean(), 0
    for batch in dataset:
        images = tf.cast(batch["images"], tf.float32) / 255
        end = seen + int(tf.shape(images)[0])
        real.update(discriminate(images))
        fake.update(discriminate(generate(seen, end)))
        seen = end
    return {"d_real": real.result(), "d_fake": fake.result()}


def conclusion(values: dict[str, float], loss: nn.adversarial.Loss) -> str:
    """The sentence printed at the end of a run, from the result of `evaluate`."""
    given = "probability of being real" if loss.has_probability else "score"
    return (
        f"The discriminator's mean {given} is {values['d_real']:.3f} for held-out pictures and "
        f"{values['d_fake']:.3f} for generated ones; the program evaluate_dcgan measures the quality of the latter."
    )


def saturation_warning(history: list[dict], loss: nn.adversarial.Loss) -> str:
    """Advice after every `SATURATED_REPORTS` consecutive reports with a saturated discriminator, else ""."""
    if not loss.has_probability:
        return ""
    reports = [report["values"] for report in reversed(history) if report["split"] == "train"]
    saturated = [v["d_real"] > SATURATED_REAL and v["d_fake_before"] < SATURATED_FAKE for v in reports]
    in_a_row = saturated.index(False) if False in saturated else len(saturated)
    if in_a_row == 0 or in_a_row % SATURATED_REPORTS:
        return ""
    return (
        f"the discriminator has separated real from generated pictures with more than {SATURATED_REAL:.0%} certainty "
        f"in {SATURATED_REPORTS} consecutive reports, so the generator learns little: more --g_steps, a lower "
        "--learning_rate, --spectral_norm or --loss=hinge may help."
    )
