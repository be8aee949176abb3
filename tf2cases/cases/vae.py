"""Variational autoencoder: generates pictures from a few latent variables. Kingma and Welling 2013, arXiv 1312.6114."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import nn, training, viz
from tf2cases.configs.vae import Config
from tf2cases.data import sources
from tf2cases.data.pictures.graph import encode_batch
from tf2cases.data.source import Source

_BLOCK = 500  # test examples whose noise is drawn together


class Network(tf.Module):
    """An encoder, 784-256 with outputs for the latent's mean and log variance, and a mirrored decoder."""

    def __init__(self, image_shape: tuple, latent_dim: int, input_dropout: float, seed: int, name: str = "network"):
        super().__init__(name)
        self._shape = tuple(image_shape)
        hidden = [nn.Flatten(), nn.Dropout(input_dropout), nn.Dense(256, activation=tf.nn.relu, name="encoder_hidden")]
        self.encoder = nn.Sequential(hidden, name="encoder")
        self.mean = nn.Dense(latent_dim, name="mean")
        self.log_variance = nn.Dense(latent_dim, name="log_variance")
        pixels = [
            nn.Dense(256, activation=tf.nn.relu, name="decoder_hidden"),
            nn.Dense(math.prod(image_shape), name="logits"),
        ]
        self.decoder = nn.Sequential(pixels, name="decoder")
        features = self.encoder.create((None, *image_shape), nn.random.fold(seed, "encoder"))
        self.mean.create(features, nn.random.fold(seed, "mean"))
        self.log_variance.create(features, nn.random.fold(seed, "log_variance"))
        self.decoder.create((None, latent_dim), nn.random.fold(seed, "decoder"))

    def encode(
        self, images: tf.Tensor, is_training: bool, seed: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Pictures [N, H, W, C] in [0, 1] -> the latent's mean and log variance, float32 [N, latents]."""
        features = self.encoder(images, is_training=is_training, seed=seed)
        return tf.cast(self.mean(features), tf.float32), tf.cast(self.log_variance(features), tf.float32)

    def decode(self, z: tf.Tensor) -> tf.Tensor:
        """Latents [N, latents] -> logits of the pixels, float32 [N, H, W, C]."""
        return tf.reshape(tf.cast(self.decoder(z), tf.float32), [-1, *self._shape])


def sample(mean: tf.Tensor, log_variance: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Reparameterization: mean + exp(log_variance / 2) * noise, with noise from N(0, 1); section 2.4.

    The standard deviation is at most e^20, so that an extreme log variance still gives a finite z.
    """
    return mean + tf.exp(tf.minimum(log_variance / 2, 20.0)) * noise


def grid(values: np.ndarray, latent_dim: int) -> np.ndarray:
    """Latents for a grid of pictures: the first latent rises from left to right, the second from bottom to top.

    Args:
      values: [n], ascending, the values of both; other latents are 0. With a single latent there is a single row.

    Returns:
      float32 [n * n, latent_dim], row by row from the top; or [n, 1].
    """
    values = np.asarray(values, np.float32)
    if latent_dim == 1:
        return values[:, np.newaxis]
    z = np.zeros([len(values), len(values), latent_dim], np.float32)
    z[..., 0], z[..., 1] = values, values[::-1, np.newaxis]
    return z.reshape(-1, latent_dim)


class VAE(training.Case):
    """A variational autoencoder of 28x28 grey pictures.

    Attributes:
      network: the `Network`.
    """

    Config = Config
    # The negative evidence lower bound and its two parts, in nats per example, without the weight --beta.
    metric_names = ("negative_elbo", "reconstruction", "kl")

    def __init__(self, config: Any, info: Mapping[str, Any]):
        super().__init__(config, info)
        self._image_shape, self._dtype = tuple(info["image_shape"]), nn.precision.compute_dtype(config.precision)
        seed = nn.random.fold(config.seed, "weights")
        self.network = Network(self._image_shape, config.latent_dim, config.input_dropout, seed)
        self.optimizer = nn.RMSprop(self.network.trainable_variables, **self.optimizer_options())
        pictures = tf.TensorSpec((None, *self._image_shape), tf.uint8)
        latents = tf.TensorSpec([None, config.latent_dim])
        self._measure = tf.function(self._block_metrics, input_signature=[pictures, tf.TensorSpec([], tf.int64)])
        self._infer = tf.function(
            lambda images: self._posterior(self._thresholded(_to_unit(images)), is_training=False),
            input_signature=[pictures],
        )
        self._generate = tf.function(self._draw, input_signature=[latents])

    @classmethod
    def load(cls, config: Any) -> Source:
        return sources.load(config.dataset, config.data_dir)

    @staticmethod
    def compile_on(device_type: str, config: Any) -> bool:
        return device_type == "CPU"

    # Training

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        images = self._targets(batch["images"], self._seed("binarize", self.step))
        noise_shape = [images.shape[0], self.config.latent_dim]
        noise = nn.random.of_global_batch(nn.random.normal, noise_shape, self._seed("noise", self.step))
        with tf.GradientTape() as tape:
            mean, log_variance = self._posterior(images, is_training=True, seed=self._seed("dropout", self.step))
            z = sample(mean, log_variance, noise)
            with tf.name_scope("loss"):
                reconstruction = tf.reduce_mean(self._reconstruction(images, z))
                kl = tf.reduce_mean(nn.losses.kl_to_unit_gaussian(mean, log_variance))
                loss = reconstruction + self.config.beta * kl
        self.optimizer.minimize(loss, tape)
        return {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    def _seed(self, stream: str, step) -> tf.Tensor:
        return nn.random.at_step(nn.random.fold(self.config.seed, stream), step)

    def _targets(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The targets for uint8 pictures, float32 in [0, 1]: grey levels or, with --binarize, zeros and ones."""
        with tf.name_scope("input"):
            images = self._thresholded(_to_unit(images))
            if self.config.binarize != "dynamic":
                return images
            shape = [tf.shape(images)[0], *self._image_shape]
            return tf.cast(nn.random.of_global_batch(nn.random.uniform, shape, seed) < images, tf.float32)

    def _thresholded(self, images: tf.Tensor) -> tf.Tensor:
        """With --binarize=static, sets pixels to 1 if they are at least 0.5, else to 0; otherwise keeps them."""
        return tf.cast(images >= 0.5, tf.float32) if self.config.binarize == "static" else images

    def _posterior(self, images: tf.Tensor, is_training: bool, seed=None) -> tuple[tf.Tensor, tf.Tensor]:
        """Pictures float32 [N, H, W, C] in [0, 1] -> the latent's mean and log variance, float32 [N, latents]."""
        return self.network.encode(tf.cast(images, self._dtype), is_training, seed)

    def _reconstruction(self, images: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
        """-log p(images | z), float32 [N]: the pixels' binary cross-entropy, in nats per example."""
        logits = self.network.decode(tf.cast(z, self._dtype))
        return nn.losses.sigmoid_cross_entropy(images, logits, reduce=tf.reduce_sum)

    # Evaluation

    def evaluate(self, dataset: tf.data.Dataset) -> dict[str, float]:
        means: dict[str, nn.metrics.Mean] = {}
        # In blocks, each with its own seed, so that an example's noise does not depend on the batch size.
        for block, batch in dataset.rebatch(_BLOCK).enumerate():
            for name, values in self._measure(batch["images"], block).items():
                means.setdefault(name, nn.metrics.Mean()).update(values)
        return {name: mean.result() for name, mean in means.items()}

    def _block_metrics(self, images: tf.Tensor, block: tf.Tensor) -> dict[str, tf.Tensor]:
        """{name: float32 [N]} of a block of uint8 test pictures, with one draw of z for each."""
        draws = self.config.iwae
        images = self._targets(images, self._seed("test_binarize", block))
        mean, log_variance = self._posterior(images, is_training=False)

        def draw(stream, number):
            noise = nn.random.normal(tf.shape(mean), self._seed(stream, number))
            z = sample(mean, log_variance, noise)
            return noise, z, self._reconstruction(images, z)

        def log_weight(k):
            """log p(x | z) + log p(z) - log q(z | x) of draw k; the factors of 2 pi cancel."""
            noise, z, reconstruction = draw("iwae", block * draws + k)
            return -reconstruction - tf.reduce_sum(tf.square(z) - tf.square(noise) - log_variance, axis=1) / 2

        _, _, reconstruction = draw("test_noise", block)
        kl = nn.losses.kl_to_unit_gaussian(mean, log_variance)
        values = {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
        if draws:
            # The log of the mean weight: Burda et al. 2015, arXiv 1509.00519, equation 8.
            weights = tf.map_fn(log_weight, tf.range(draws, dtype=tf.int64), fn_output_signature=tf.float32)
            values["negative_iwae"] = math.log(draws) - tf.reduce_logsumexp(weights, axis=0)
        return values

    # Reports and pictures

    def describe(self, source: Source) -> str:
        network = self.network
        encoder = [network.encoder, network.mean, network.log_variance]
        return nn.summary({"encoder": encoder, "decoder": network.decoder})

    def conclude(self, source: Source, values: dict[str, float]) -> str:
        text = (
            f"Test negative ELBO {values['negative_elbo']:.2f} nats per example: "
            f"reconstruction {values['reconstruction']:.2f} + KL {values['kl']:.2f}."
        )
        if "negative_iwae" in values:
            text += f" Importance-weighted bound of {self.config.iwae} draws: {values['negative_iwae']:.2f}."
        return text

    def _latents(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The latent's mean and log variance for uint8 pictures, arrays [N, latents]."""
        parts = [self._infer(images[i : i + _BLOCK]) for i in range(0, len(images), _BLOCK)]
        mean, log_variance = (np.concatenate(part) for part in zip(*parts, strict=True))
        return mean, log_variance

    def _draw(self, z: tf.Tensor) -> tf.Tensor:
        """Latents float32 [N, latents] -> pictures [N, H, W, C] in [0, 1]."""
        return tf.sigmoid(self.network.decode(z))

    def pictures(self, source: Source) -> dict[str, np.ndarray]:
        names, labels, images = self.info["class_names"], source.test["labels"], source.test["images"]
        mean, log_variance = self._latents(images)
        points, ylabel = mean[:, :2], "mean of the second latent"
        if self.config.latent_dim == 1:
            points, ylabel = np.concatenate([mean, log_variance], axis=1), "its log variance"
        rebuilt = viz.to_uint8(self._generate(mean[:50]).numpy())
        noise = nn.random.normal([100, self.config.latent_dim], self._seed("pictures", 0))
        return {
            "latent_means": viz.scatter_classes(points, labels, "Test set", "mean of the first latent", ylabel, names),
            **self.samples(),
            "manifold_quantiles": self._manifold(tf.math.ndtri((np.arange(20) + 0.5) / 20)),
            # Each picture above its reconstruction.
            "reconstructions": viz.montage(np.concatenate([images[:50], rebuilt], axis=1), 10),
            "samples": viz.montage(self._generate(noise).numpy(), 10),
        }

    def samples(self) -> dict[str, np.ndarray]:
        return {"manifold": self._manifold(np.linspace(-4, 4, 20))}

    def _manifold(self, values) -> np.ndarray:
        return viz.montage(self._generate(grid(values, self.config.latent_dim)).numpy(), len(values), border=0)

    def embedding(self, source: Source) -> tuple[np.ndarray, Sequence, np.ndarray] | None:
        if self.config.latent_dim == 1:  # the projector shows points in two or three dimensions
            return None
        images, names = source.test["images"], self.info["class_names"]
        return self._latents(images)[0], [names[label] for label in source.test["labels"]], images

    # Serving

    def signatures(self) -> dict[str, Callable]:
        pictures = tf.TensorSpec((None, *self._image_shape), tf.float32, "images")
        latents = tf.TensorSpec([None, self.config.latent_dim], tf.float32, "z")

        def posterior(images):
            return self.network.encode(self._thresholded(images), is_training=False)

        @tf.function(input_signature=[pictures])
        def serving_default(images):
            """Pictures in [0, 1], digits light on dark -> their reconstructions from the latent's mean."""
            return {"reconstructions": self._draw(posterior(images)[0])}

        @tf.function(input_signature=[pictures])
        def encode(images):
            """Pictures in [0, 1] -> the latent's distribution."""
            mean, log_variance = posterior(images)
            return {"mean": mean, "log_variance": log_variance}

        @tf.function(input_signature=[latents])
        def decode(z):
            """Latents -> pictures in [0, 1]; latents from N(0, 1) give samples."""
            return {"images": self._draw(z)}

        @tf.function(input_signature=[latents])
        def decode_bytes(z):
            """Latents -> PNG files."""
            return {"image_bytes": encode_batch(self._draw(z))}

        return {"serving_default": serving_default, "encode": encode, "decode": decode, "decode_bytes": decode_bytes}

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        ramp = np.linspace(0, 1, math.prod(self._image_shape), dtype=np.float32).reshape(self._image_shape)
        images = {"images": np.stack([ramp, 1 - ramp, np.full_like(ramp, 0.2)])}
        z = {"z": np.linspace(-2, 2, 3 * self.config.latent_dim, dtype=np.float32).reshape(3, -1)}
        return {"serving_default": images, "encode": images, "decode": z, "decode_bytes": z}


def _to_unit(images: tf.Tensor) -> tf.Tensor:
    """Scales uint8 pictures to float32 in [0, 1]."""
    return tf.cast(images, tf.float32) / 255
