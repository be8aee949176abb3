"""Denoising: an autoencoder that learns to reconstruct clean pictures from noisy ones."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import nn, training, viz
from tf2cases.configs.autoencoder import Config
from tf2cases.data import sources
from tf2cases.data.pictures import encoded, graph
from tf2cases.data.source import Source

# Every run is evaluated with the same noise, whatever its seed.
_TEST_NOISE = nn.random.fold(0, "test noise")
_TRAIN_NOISE = "train noise"


def original(channels: int) -> nn.Sequential:
    """The original network: down to a quarter of the side and back up; 28,353 parameters for grey pictures."""
    layers = [
        nn.Conv2D(32, kernel_size=3, activation=tf.nn.relu, name="encode_1"),
        nn.MaxPool2D(2, name="pool_1"),
        nn.Conv2D(32, kernel_size=3, activation=tf.nn.relu, name="encode_2"),
        nn.MaxPool2D(2, name="pool_2"),
        nn.Conv2D(32, kernel_size=3, activation=tf.nn.relu, name="decode_1"),
        nn.UpSampling2D(2, name="up_1"),
        nn.Conv2D(32, kernel_size=3, activation=tf.nn.relu, name="decode_2"),
        nn.UpSampling2D(2, name="up_2"),
        nn.Conv2D(channels, kernel_size=3, name="logits"),
    ]
    return nn.Sequential(layers, name="original")


def skip(channels: int) -> nn.Sequential:
    """A small U-Net: encoder features are concatenated with decoder features of the same resolution."""
    relu_he = dict(activation=tf.nn.relu, kernel_init=nn.initializers.he_normal)
    quarter = [
        nn.Conv2D(96, kernel_size=3, strides=2, **relu_he, name="down_2"),
        nn.Conv2D(96, kernel_size=3, **relu_he, name="quarter"),
        nn.Conv2D(48, kernel_size=3, **relu_he, name="up_2"),
        nn.UpSampling2D(2),
    ]
    half = [
        nn.Conv2D(32, kernel_size=5, strides=2, **relu_he, name="down_1"),
        nn.Conv2D(48, kernel_size=3, **relu_he, name="half_1"),
        nn.Skip(quarter, name="quarters"),
        nn.Conv2D(48, kernel_size=3, **relu_he, name="half_2"),
        nn.Conv2D(32, kernel_size=3, **relu_he, name="half_3"),
        nn.Conv2DTranspose(12, kernel_size=5, strides=2, activation=tf.nn.relu, name="up_1"),
    ]
    layers = [nn.Skip(half, name="halves"), nn.Conv2D(channels, kernel_size=3, name="logits")]
    return nn.Sequential(layers, name="skip")


class DenoisingAutoencoder(training.Case):
    """The autoencoder.

    Attributes:
      network: noisy pictures in [0, 1] -> logits of the clean ones.
    """

    Config = Config

    def __init__(self, config: Any, info: Mapping[str, Any]):
        super().__init__(config, info)
        height, width, channels = info["image_shape"]
        self._input_shape = (None, height, width, channels)
        self.network = original(channels) if config.model == "original" else skip(channels)
        self.network.create(self._input_shape, nn.random.fold(config.seed, "weights"))
        variables, options = self.network.trainable_variables, self.optimizer_options()
        if config.optimizer == "adam":
            self.optimizer = nn.Adam(variables, epsilon=1e-7, **options)
        else:
            self.optimizer = nn.Adadelta(variables, rho=0.95, epsilon=1e-7, **options)
        pictures = tf.TensorSpec(self._input_shape, tf.uint8)
        self._infer = tf.function(self._logits, input_signature=[tf.TensorSpec(self._input_shape, tf.float32)])
        self._compare = tf.function(self._metrics, input_signature=[pictures, pictures])

    @classmethod
    def load(cls, config: Any) -> Source:
        if config.dataset == "folder":
            options = dict(size=config.size, channels=None, cache_dir=config.cache_dir)
            found = sources.load("folder", config.data_dir, max_bad_images=config.max_bad_images, **options)
        else:
            found = sources.load(config.dataset, config.data_dir).without_labels()
        splits = {"train": found.train, "test": _with_noisy(found.test, _TEST_NOISE, config.noise)}
        if config.fixed_noise:
            splits["train"] = _with_noisy(found.train, nn.random.fold(config.seed, _TRAIN_NOISE), config.noise)
        return Source(found.name, splits, found.info)

    # Training

    def prepare(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if self.config.fixed_noise:
            return batch
        seed = nn.random.at_step(nn.random.fold(self.config.seed, _TRAIN_NOISE), self.step)
        return batch | {"noisy": add_noise(batch["images"], seed, self.config.noise)}

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        clean, noisy = _to_unit(batch["images"]), _to_unit(batch["noisy"])
        with tf.GradientTape() as tape:
            logits = self._logits(noisy, nn.precision.compute_dtype(self.config.precision))
            with tf.name_scope("loss"):
                loss = tf.reduce_mean(nn.losses.sigmoid_cross_entropy(clean, logits))
        self.optimizer.minimize(loss, tape)
        return {"loss": loss}

    def _logits(self, noisy: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """float32 [N, H, W, C] in [0, 1] -> float32 [N, H, W, C], computed in `dtype`."""
        return tf.cast(self.network(tf.cast(noisy, dtype)), tf.float32)

    # Evaluation

    def evaluate(self, dataset: tf.data.Dataset) -> dict[str, float]:
        means: dict[str, nn.metrics.Mean] = {}
        for batch in dataset:
            for name, values in self._compare(batch["images"], batch["noisy"]).items():
                means.setdefault(name, nn.metrics.Mean()).update(values)
        return {name: mean.result() for name, mean in means.items()}

    def _metrics(self, clean: tf.Tensor, noisy: tf.Tensor) -> dict[str, tf.Tensor]:
        """{name: float32 [N]} for uint8 pictures: NAME for the denoised ones, noisy_NAME for the noisy ones."""
        clean, noisy = _to_unit(clean), _to_unit(noisy)
        logits = self._logits(noisy)
        # Clipped as in Keras, since the cross-entropy of an exactly black or white pixel would be infinite.
        p = tf.clip_by_value(noisy, 1e-7, 1 - 1e-7)
        noisy_entropy = -tf.reduce_mean(clean * tf.math.log(p) + (1 - clean) * tf.math.log(1 - p), axis=[1, 2, 3])
        entropy = nn.losses.sigmoid_cross_entropy(clean, logits)
        of_noisy = _similarities(clean, noisy, noisy_entropy)
        return _similarities(clean, tf.sigmoid(logits), entropy) | {f"noisy_{n}": v for n, v in of_noisy.items()}

    # Reports and pictures

    def conclude(self, source: Source, values: dict[str, float]) -> str:
        v = values
        return (
            f"Test pictures, denoised (and noisy): PSNR {v['psnr']:.2f} dB ({v['noisy_psnr']:.2f}), SSIM "
            f"{v['ssim']:.3f} ({v['noisy_ssim']:.3f}), squared error {v['mse']:.5f} ({v['noisy_mse']:.4f}), "
            f"cross-entropy {v['bce']:.4f} ({v['noisy_bce']:.3f})."
        )

    def curves(self, history: list[dict]) -> dict[str, np.ndarray]:
        """Charts of all metrics but those of the noisy pictures, which are constant; `conclude` prints them."""
        noisy = {name for report in history for name in report["values"] if name.startswith("noisy_")}
        return {"curves": viz.training_curves(history, leave_out=noisy)}

    def pictures(self, source: Source) -> dict[str, np.ndarray]:
        clean, noisy = source.test["images"][:10], source.test["noisy"][:10]
        denoised = self._denoised(noisy)
        shown = np.concatenate([noisy, denoised, clean])
        texts = [f"noisy {_psnr(c, n):.1f} dB" for c, n in zip(clean, noisy, strict=True)]
        texts += [f"{_psnr(c, d):.1f} dB" for c, d in zip(clean, denoised, strict=True)]
        drawn = {"denoised": viz.labelled(shown, texts + ["clean"] * len(clean), columns=len(clean))}

        deviations, rows, texts = np.arange(1, 10) / 10, [], []
        for i, picture in enumerate(clean[:3]):
            seed = nn.random.at_step(_TEST_NOISE, i)
            swept = [viz.to_uint8(add_noise(picture[None], seed, d).numpy()) for d in deviations]
            noisy = np.concatenate(swept)
            restored = self._denoised(noisy)
            rows += [noisy, restored]
            texts += [f"noise {d:.1f}" for d in deviations] + [f"{_psnr(picture, r):.1f} dB" for r in restored]
        return drawn | {"noise_sweep": viz.labelled(np.concatenate(rows), texts, columns=len(deviations))}

    def _denoised(self, noisy: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] -> uint8 [N, H, W, C]."""
        return viz.to_uint8(tf.sigmoid(self._infer(_to_unit(noisy))).numpy())

    # Serving

    def signatures(self) -> dict[str, Callable]:
        @tf.function(input_signature=[tf.TensorSpec(self._input_shape, tf.float32, "images")])
        def serving_default(images):
            """Noisy pictures in [0, 1] to clean ones."""
            return {"denoised": tf.sigmoid(self.network(images))}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        def denoise_bytes(image_bytes):
            """Noisy picture files, resized and converted to grey or colour as needed, to clean PNG files."""
            return {"denoised_bytes": graph.encode_batch(tf.sigmoid(self.network(self._opened(image_bytes))))}

        return {"serving_default": serving_default, "denoise_bytes": denoise_bytes}

    def _opened(self, files: tf.Tensor) -> tf.Tensor:
        """Picture files, string [N] -> pictures on white, float32 [N, H, W, C] in [0, 1]."""
        height, width, channels = self.info["image_shape"]

        def to_image(rgba):
            rgb = graph.composite_on_white(graph.reduced(rgba))
            return tf.image.resize(rgb if channels == 3 else graph.to_grey(rgb), [height, width], antialias=True)

        return graph.decode_batch(files, to_image, self.info["image_shape"], graph.Decoding(graph.SMALL))

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        height, width, channels = self.info["image_shape"]
        ramp = np.linspace(0, 255, height * width).reshape(height, width, 1).astype(np.uint8)
        images = np.stack([ramp, 255 - ramp, np.full_like(ramp, 128)]).repeat(channels, axis=-1)
        return {
            "serving_default": {"images": images.astype(np.float32) / 255},
            "denoise_bytes": {"image_bytes": encoded.png_files(images)},
        }


def add_noise(images: tf.Tensor, seed: tf.Tensor, deviation: float) -> tf.Tensor:
    """clip(images + deviation * N(0, 1), 0, 1).

    Args:
      images: uint8 [N, H, W, C].
      seed: int64 [2].
      deviation: standard deviation of the noise, for pixels in [0, 1].

    Returns:
      float32 [N, H, W, C] in [0, 1].
    """
    images = tf.cast(images, tf.float32) / 255
    return tf.clip_by_value(images + deviation * nn.random.normal(tf.shape(images), seed), 0.0, 1.0)


def _with_noisy(arrays, seed: int, deviation: float) -> dict[str, np.ndarray]:
    """{"images", "noisy"}, both uint8 [N, H, W, C]; the noise is drawn once, here, and the sum is rounded to bytes."""
    images = arrays["images"]
    noisy = np.empty(images.shape, np.uint8)
    for first in range(0, len(images), 1000):
        some = add_noise(images[first : first + 1000], nn.random.at_step(seed, first), deviation)
        noisy[first : first + 1000] = viz.to_uint8(some.numpy())
    return {"images": images, "noisy": noisy}


def _similarities(clean: tf.Tensor, restored: tf.Tensor, cross_entropy: tf.Tensor) -> dict[str, tf.Tensor]:
    """Similarities of restored and clean pictures, float32 [N, H, W, C] in [0, 1]: {name: float32 [N]}."""
    squares = nn.losses.mean_squared_error(clean, restored)
    return {
        "bce": cross_entropy,
        "mse": squares,
        "psnr": -10 * tf.math.log(tf.maximum(squares, 1e-10)) / tf.math.log(10.0),
        "ssim": tf.image.ssim(clean, restored, max_val=1.0),
    }


def _to_unit(images: tf.Tensor) -> tf.Tensor:
    """Scales uint8 pictures to float32 in [0, 1]; leaves float32 pictures unchanged."""
    return tf.cast(images, tf.float32) / 255 if images.dtype == tf.uint8 else images


def _psnr(clean: np.ndarray, restored: np.ndarray) -> float:
    """The PSNR of two uint8 pictures, in dB."""
    return float(tf.image.psnr(clean, restored, max_val=255))
