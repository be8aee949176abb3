"""DCGAN: a generator learns to create pictures that a discriminator cannot distinguish from real ones.

Radford, Metz and Chintala 2015, arXiv 1511.06434. One iteration updates the discriminator once and the generator twice,
on the same real pictures and the same latents.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import nn, training, viz
from tf2cases.configs.dcgan import DIGITS, Config
from tf2cases.data import sources
from tf2cases.data.pictures.graph import encode_batch
from tf2cases.training import gan_watch

_PENALTY = 10.0  # weight of the gradient penalty (Gulrajani et al. 2017)

# Two choices follow the original settings instead of the paper: kernels are initialized Glorot-uniform instead of
# N(0, 0.02), and layers before a batch norm keep their biases, although it cancels them.


def generator(size: int, channels: int) -> nn.Sequential:
    """Latents [N, latents] -> pictures [N, size, size, channels] in (-1, 1); `size` as `Config` accepts it."""
    # Three layers double the side; the last one doubles it once more (64 = 16 * 4), or adds 4 (28 = 8 * 3 + 4).
    doubles = size % 16 == 0
    side = size // 16 if doubles else (size - 4) // 8
    last: dict[str, Any] = dict(strides=2, padding="SAME") if doubles else dict(strides=1, padding="VALID")
    norm = dict(momentum=0.9, epsilon=1e-3, use_scale=False, activation=tf.nn.relu)
    layers = [
        nn.Dense(side * side * 512, name="dense"),
        nn.Reshape([side, side, 512]),
        nn.BatchNorm(**norm, name="norm_1"),
        nn.Conv2DTranspose(256, kernel_size=5, strides=2, name="up_2"),
        nn.BatchNorm(**norm, name="norm_2"),
        nn.Conv2DTranspose(128, kernel_size=5, strides=2, name="up_3"),
        nn.BatchNorm(**norm, name="norm_3"),
        nn.Conv2DTranspose(64, kernel_size=5, strides=2, name="up_4"),
        nn.BatchNorm(**norm, name="norm_4"),
        nn.Conv2DTranspose(channels, kernel_size=5, **last, activation=tf.tanh, name="pictures"),
    ]
    return nn.Sequential(layers, name="generator")


def discriminator(normalization: str) -> nn.Sequential:
    """Pictures [N, size, size, channels] in [-1, 1] -> logits [N, 1], positive for pictures that seem real.

    Args:
      normalization: "batch" (in all blocks but the first), "spectral" or "none".
    """
    wrap = nn.SpectralNorm if normalization == "spectral" else lambda layer: layer

    def down(filters: int, number: int) -> list[nn.Layer]:
        convolution: dict[str, Any] = dict(filters=filters, kernel_size=5, strides=2, name=f"down_{number}")
        if normalization != "batch":
            return [wrap(nn.Conv2D(**convolution, activation=_leaky_relu))]
        norm: dict[str, Any] = dict(momentum=0.9, epsilon=1e-3, use_scale=False, name=f"norm_{number}")
        return [nn.Conv2D(**convolution), nn.BatchNorm(**norm, activation=_leaky_relu)]

    layers = [
        wrap(nn.Conv2D(64, kernel_size=5, strides=2, activation=_leaky_relu, name="down_1")),
        *down(128, 2),
        *down(256, 3),
        *down(512, 4),
        nn.Flatten(),
        wrap(nn.Dense(1, name="logit")),
    ]
    return nn.Sequential(layers, name="discriminator")


def _leaky_relu(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.leaky_relu(x, 0.2)


class DCGAN(training.Case):
    """The two networks and their optimizers.

    Attributes:
      generator: latents in [-1, 1) -> pictures in (-1, 1).
      discriminator: pictures in [-1, 1] -> logits.
      average: an `nn.ExponentialMovingAverage` of the generator with `--ema`, else None.
      generate: a tf.function of latents float32 [N, latents] that returns pictures float32 [N, H, W, C] in [0, 1].
    """

    Config = Config
    metric_names = ("d_loss", "g_loss", "d_real", "d_fake_before", "d_fake_after", "d_gradient_norm", "g_gradient_norm")
    curves = staticmethod(gan_watch.curves)

    def __init__(self, config: Any, info: Mapping[str, Any]):
        super().__init__(config, info)
        self._image_shape = tuple(info["image_shape"])
        self.generator = self._make_generator()
        self.discriminator = discriminator(config.normalization)
        self.discriminator.create((None, *self._image_shape), nn.random.fold(config.seed, "discriminator"))
        adam = dict(beta1=0.5, beta2=0.999, epsilon=1e-8)
        self.g_optimizer = nn.Adam(self.generator.trainable_variables, **adam, **self.optimizer_options())
        self.d_optimizer = nn.Adam(self.discriminator.trainable_variables, **adam, **self.optimizer_options())
        self._loss = nn.adversarial.LOSSES[config.loss]
        self.average = None
        if config.ema:
            self.average = nn.ExponentialMovingAverage(self._make_generator(), self.generator, config.ema)
        self.generate = tf.function(self._sample, input_signature=[tf.TensorSpec([None, config.latent_dim])])

    def _make_generator(self) -> nn.Sequential:
        network = generator(self._image_shape[0], self._image_shape[2])
        network.create((None, self.config.latent_dim), nn.random.fold(self.config.seed, "generator"))
        return network

    @classmethod
    def load(cls, config: Any) -> sources.Source:
        return sources.load(config.dataset, config.data_dir, **config.picture_options).without_labels()

    @staticmethod
    def compile_on(device_type: str, config: Any) -> bool:
        return device_type == "GPU"

    # One iteration: D, G, G

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        config, dtype = self.config, nn.precision.compute_dtype(self.config.precision)
        real = tf.cast(tf.cast(batch["images"], tf.float32) / 127.5 - 1, dtype)

        # Train the discriminator to give high logits to real pictures and low ones to generated pictures. Each batch is
        # normalized with its own statistics. Only these passes, half real and half generated, update the moving ones.
        for turn in range(config.d_steps):
            latents = tf.cast(self._latents(tf.shape(real)[0], turn), dtype)
            with tf.GradientTape() as g_tape:
                fake = self.generator(latents, is_training=True)
            with tf.GradientTape() as d_tape:
                real_logits = self._judge(real, update_statistics=True)
                fake_logits = self._judge(fake, update_statistics=True)
                d_loss = tf.reduce_mean(self._loss.discriminator(real_logits, fake_logits))
                if config.loss == "wasserstein_gp":
                    d_loss += _PENALTY * self._gradient_penalty(real, fake, turn)
            d_norm = self.d_optimizer.minimize(d_loss, d_tape)

        # Train the generator to create pictures to which the discriminator gives high logits. Its first update reuses
        # the pictures above and the tape that recorded them, since the generator has not changed since then.
        for turn in range(config.g_steps):
            if turn > 0:
                with tf.GradientTape() as g_tape:
                    fake = self.generator(latents, is_training=True)
            with g_tape:
                new_logits = self._judge(fake)
                g_loss = tf.reduce_mean(self._loss.generator(new_logits))
            g_norm = self.g_optimizer.minimize(g_loss, g_tape)

        if self.average:
            self.average.update()
        return {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "d_real": tf.reduce_mean(self._loss.belief(real_logits)),
            "d_fake_before": tf.reduce_mean(self._loss.belief(fake_logits)),
            "d_fake_after": tf.reduce_mean(self._loss.belief(new_logits)),
            "d_gradient_norm": d_norm,
            "g_gradient_norm": g_norm,
        }

    def _judge(self, pictures: tf.Tensor, update_statistics: bool = False) -> tf.Tensor:
        """The discriminator's logits, float32 [N], with this batch's statistics."""
        logits = self.discriminator(pictures, is_training=True, update_statistics=update_statistics)
        return tf.cast(logits[:, 0], tf.float32)

    def _latents(self, rows: tf.Tensor, turn: int) -> tf.Tensor:
        """This step's latents for one update of the discriminator, float32 [rows, latents] in [-1, 1)."""
        return nn.random.of_global_batch(_uniform, [rows, self.config.latent_dim], self._seed(f"latents {turn}"))

    def _gradient_penalty(self, real: tf.Tensor, fake: tf.Tensor, turn: int) -> tf.Tensor:
        shape = [tf.shape(real)[0], 1, 1, 1]
        share = nn.random.of_global_batch(nn.random.uniform, shape, self._seed(f"penalty {turn}"))
        return tf.reduce_mean(nn.adversarial.gradient_penalty(self._judge, real, fake, share))

    def _seed(self, stream: str) -> tf.Tensor:
        return nn.random.at_step(nn.random.fold(self.config.seed, stream), self.step)

    # Evaluation, pictures and serving, with the moving statistics

    def _sample(self, latents: tf.Tensor) -> tf.Tensor:
        generate = self.average.network if self.average else self.generator
        return (generate(latents, is_training=False) + 1) / 2

    def _belief(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [N, H, W, C] in [0, 1] -> float32 [N], see `nn.adversarial.Loss.belief`."""
        return self._loss.belief(self.discriminator(images * 2 - 1, is_training=False)[:, 0])

    def evaluate(self, dataset: tf.data.Dataset) -> dict[str, float]:
        return gan_watch.evaluate(dataset, self._belief, lambda i, j: self.generate(self.latents(j, 0)[i:]))

    def latents(self, count: int, seed: int) -> tf.Tensor:
        """float32 [count, latents] to sample from; a longer draw of a seed begins with the shorter one."""
        return draw_latents(count, self.config.latent_dim, seed)

    def conclude(self, source: sources.Source, values: dict[str, float]) -> str:
        return gan_watch.conclusion(values, self._loss)

    def warning(self, history: list[dict]) -> str:
        return gan_watch.saturation_warning(history, self._loss)

    @property
    def frames_per_second(self) -> float:
        return 5 if self.config.dataset in DIGITS else 10

    def samples(self) -> dict[str, np.ndarray]:
        return {"sample": viz.montage(self.generate(self.latents(100, self.config.seed)).numpy())}

    def pictures(self, source: sources.Source) -> dict[str, np.ndarray]:
        ends = self.latents(20, self.config.seed)
        between = tf.reshape(tf.linspace(ends[:10], ends[10:], 10, axis=1), [100, -1])
        return {
            "real": viz.montage(source.train["images"][:100]),
            "interpolation": viz.montage(self.generate(between).numpy()),
        }

    def signatures(self) -> dict[str, Callable]:
        latents = tf.TensorSpec([None, self.config.latent_dim], tf.float32, "z")

        @tf.function(input_signature=[latents])
        def serving_default(z):
            """Latents in [-1, 1] to pictures in [0, 1]."""
            return {"images": self._sample(z)}

        @tf.function(input_signature=[latents])
        def generate_bytes(z):
            """Latents in [-1, 1] to PNG files."""
            return {"image_bytes": encode_batch(self._sample(z))}

        @tf.function(input_signature=[tf.TensorSpec([None, *self._image_shape], tf.float32, "images")])
        def discriminate(images):
            """Pictures in [0, 1] to the probability that they are real, or a score (`nn.adversarial.Loss`)."""
            return {"probability" if self._loss.has_probability else "score": self._belief(images)}

        return {"serving_default": serving_default, "generate_bytes": generate_bytes, "discriminate": discriminate}

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        z = self.latents(3, 0).numpy()
        images = np.linspace(0, 1, 3 * np.prod(self._image_shape), dtype=np.float32).reshape(3, *self._image_shape)
        return {"serving_default": {"z": z}, "generate_bytes": {"z": z}, "discriminate": {"images": images}}


def draw_latents(count: int, latent_dim: int, seed: int) -> tf.Tensor:
    """float32 [count, latent_dim] in [-1, 1); a longer draw of a seed begins with the shorter one."""
    return _uniform([count, latent_dim], nn.random.at_step(nn.random.fold(seed, "latents"), 0))


def _uniform(shape: Any, seed: Any) -> tf.Tensor:
    return nn.random.uniform(shape, seed, -1.0, 1.0)
