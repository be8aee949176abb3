"""DCGAN: a generator learns to draw pictures that a discriminator cannot tell from real ones.

Radford, Metz and Chintala 2015, arXiv 1511.06434, with the tutorial's networks and its alternation: one iteration
updates the discriminator once and the generator twice, on the same real pictures and the same latents.
"""

import numpy as np
import tensorflow as tf

from tf2cases import nn, training, viz
from tf2cases.configs.dcgan import DIGITS, Config
from tf2cases.data import sources
from tf2cases.data.pictures.graph import encode_batch
from tf2cases.data.source import Source
from tf2cases.errors import UsageError

FILTERS = (512, 256, 128, 64)
_PENALTY = 10.0  # the gradient penalty's weight (Gulrajani et al. 2017)

# The discriminator has saturated when it is this sure of real and of generated pictures, on average, in this many
# reports in a row: the generator then learns next to nothing.
SATURATED_REAL, SATURATED_FAKE, SATURATED_REPORTS = 0.99, 0.01, 25


def first_side(size):
    """The side of the generator's first feature maps, and whether its last layer doubles the side (or adds 4).

    Raises:
      UsageError: no such network makes pictures of this size.
    """
    if size % 16 == 0:
        return size // 16, True
    if size % 8 == 4 and size > 4:
        return (size - 4) // 8, False
    raise UsageError(f"--size is {size}, but must be a multiple of 16, or 4 more than a multiple of 8.")


def generator(size, channels):
    """Latents [N, latent_dim] -> pictures [N, size, size, channels] in (-1, 1)."""
    side, doubles = first_side(size)

    def norm(name):
        return nn.BatchNorm(momentum=0.9, epsilon=0.001, use_scale=False, activation=tf.nn.relu, name=name)

    layers = [nn.Dense(side * side * FILTERS[0], name="dense"), nn.Reshape([side, side, FILTERS[0]]), norm("norm_1")]
    for i, filters in enumerate(FILTERS[1:], 2):
        layers += [nn.Conv2DTranspose(filters, 5, 2, name=f"up_{i}"), norm(f"norm_{i}")]
    strides, padding = (2, "SAME") if doubles else (1, "VALID")
    layers.append(nn.Conv2DTranspose(channels, 5, strides, padding, activation=tf.tanh, name="pictures"))
    return nn.Sequential(layers, name="generator")


def discriminator(normalise):
    """Pictures [N, size, size, channels] in [-1, 1] -> logits [N, 1], positive for real ones.

    Args:
      normalise: "batch", "spectral" or "none".
    """

    def leaky_relu(x):
        return tf.nn.leaky_relu(x, 0.2)

    def spectral(layer):
        return nn.SpectralNorm(layer) if normalise == "spectral" else layer

    layers = []
    for i, filters in enumerate(reversed(FILTERS), 1):
        if normalise == "batch" and i > 1:
            layers.append(nn.Conv2D(filters, 5, 2, name=f"down_{i}"))
            layers.append(nn.BatchNorm(0.9, 0.001, use_scale=False, activation=leaky_relu, name=f"norm_{i}"))
        else:
            layers.append(spectral(nn.Conv2D(filters, 5, 2, activation=leaky_relu, name=f"down_{i}")))
    return nn.Sequential([*layers, nn.Flatten(), spectral(nn.Dense(1, name="logit"))], name="discriminator")


class DCGAN(training.Case):
    """The two networks and their optimizers.

    Attributes:
      generator: latents in [-1, 1] -> pictures in (-1, 1).
      discriminator: pictures in [-1, 1] -> logits.
      average: an `nn.ExponentialMovingAverage` of the generator with `--ema`, else None.
    """

    Config = Config
    metric_names = ("d_loss", "g_loss", "d_real", "d_fake_before", "d_fake_after", "d_gradient_norm", "g_gradient_norm")

    def __init__(self, config, info):
        super().__init__(config, info)
        self._image_shape = tuple(info["image_shape"])
        self.generator = self._make_generator()
        normalise = "spectral" if config.spectral_norm else "none" if config.loss == "wasserstein_gp" else "batch"
        self.discriminator = discriminator(normalise)
        self.discriminator.create((None, *self._image_shape), nn.random.fold(config.seed, "discriminator"))
        adam = dict(beta1=0.5, beta2=0.999, epsilon=1e-8)
        self.g_optimizer = nn.Adam(self.generator.trainable_variables, **adam, **self.optimizer_options())
        self.d_optimizer = nn.Adam(self.discriminator.trainable_variables, **adam, **self.optimizer_options())
        self._d_loss, self._g_loss = nn.adversarial.LOSSES[config.loss]
        self.average = None
        if config.ema:
            self.average = nn.ExponentialMovingAverage(self._make_generator(), self.generator, config.ema)
        self.generate = tf.function(self._sample, input_signature=[tf.TensorSpec([None, config.latent_dim])])

    def _make_generator(self):
        network = generator(self._image_shape[0], self._image_shape[2])
        network.create((None, self.config.latent_dim), nn.random.fold(self.config.seed, "generator"))
        return network

    @classmethod
    def load(cls, config):
        if config.dataset in DIGITS:
            if config.size not in (None, 28):
                raise UsageError(f"--size is {config.size}, but must be 28 for --dataset={config.dataset}.")
            found = sources.load(config.dataset, config.data_dir)
        else:
            size = config.size or 64
            first_side(size)  # before the pictures are prepared, which may take minutes
            options = dict(size=size, cache_dir=config.cache_dir)
            if config.dataset != "toy_faces":
                channels = None if config.dataset == "folder" else 3
                options |= dict(channels=channels, crop=config.crop, max_bad_images=config.max_bad_images)
            found = sources.load(config.dataset, config.data_dir, **options)
        if len(found.train["images"]) < (config.batch_size or 1):
            raise UsageError(
                f"--batch_size is {config.batch_size}, but must be at most {len(found.train['images'])}, the number of "
                "pictures to train on."
            )
        pictures = [{"images": split["images"]} for split in (found.train, found.test)]
        return Source(found.name, *pictures, {"image_shape": found.info["image_shape"]})

    def describe(self, source):
        return nn.summary([self.generator, self.discriminator])

    # One iteration

    def train_step(self, batch):
        """D, G, G. The discriminator sees real and generated pictures apart, as each batch is normalised by itself."""
        config, dtype = self.config, nn.precision.compute_dtype(self.config.precision)
        real = _signed(batch["images"], dtype)
        for i in range(config.d_steps):
            latents = tf.cast(self._latents(tf.shape(real)[0], i), dtype)
            with tf.GradientTape() as g_tape:
                fake = self.generator(latents, is_training=True)
            with tf.GradientTape() as tape:
                # These two passes alone move the discriminator's statistics: half real, half fake (BUILD_NOTES.md).
                real_logits, fake_logits = self._judge(real, update=True), self._judge(fake, update=True)
                d_loss = tf.reduce_mean(self._d_loss(real_logits, fake_logits))
                if config.loss == "wasserstein_gp":
                    d_loss += self._gradient_penalty(real, fake, i)
            d_norm = self.d_optimizer.minimize(d_loss, tape)
        before = fake_logits
        for i in range(config.g_steps):
            if i == 0:
                # The generator has not changed since it made these pictures: its tape goes on from them.
                with g_tape:
                    fake_logits = self._judge(fake)
                    g_loss = tf.reduce_mean(self._g_loss(fake_logits))
            else:
                with tf.GradientTape() as g_tape:
                    fake_logits = self._judge(self.generator(latents, is_training=True))
                    g_loss = tf.reduce_mean(self._g_loss(fake_logits))
            g_norm = self.g_optimizer.minimize(g_loss, g_tape)
        if self.average:
            self.average.update()
        values = [d_loss, g_loss, *(tf.reduce_mean(tf.sigmoid(x)) for x in (real_logits, before, fake_logits))]
        return dict(zip(self.metric_names, [*values, self._shown(d_norm), self._shown(g_norm)], strict=True))

    def _judge(self, pictures, update=False):
        """Logits float32 [N] by this batch's statistics; `update` moves the moving ones."""
        logits = self.discriminator(pictures, is_training=True, update_statistics=update)
        return tf.cast(logits[:, 0], tf.float32)

    def _latents(self, rows, turn):
        seed = nn.random.at_step(nn.random.fold(self.config.seed, f"latents {turn}"), self.step)
        return nn.random.of_global_batch(_uniform, [rows, self.config.latent_dim], seed)

    def _gradient_penalty(self, real, fake, turn):
        seed = nn.random.at_step(nn.random.fold(self.config.seed, f"penalty {turn}"), self.step)
        share = nn.random.of_global_batch(nn.random.uniform, [tf.shape(real)[0], 1, 1, 1], seed)
        return _PENALTY * tf.reduce_mean(nn.adversarial.gradient_penalty(self._judge, real, fake, share))

    def _shown(self, norm):
        """A gradient norm as it is reported: a step that overflowed float16, and was skipped, is no failure."""
        return tf.where(tf.math.is_finite(norm), norm, 0.0) if self.config.precision == "float16" else norm

    # What is shown, measured and served

    def latents(self, count, seed):
        return draw_latents(count, self.config.latent_dim, seed)

    def _sample(self, latents):
        """Latents float32 [N, latent_dim] -> pictures float32 [N, H, W, C] in [0, 1], by the moving statistics."""
        network = self.average.network if self.average else self.generator
        return (network(latents, is_training=False) + 1) / 2

    def _probability(self, images):
        """float32 [N, H, W, C] in [0, 1] -> float32 [N], how real the discriminator takes them to be."""
        return tf.sigmoid(self.discriminator(images * 2 - 1, is_training=False))[:, 0]

    def evaluate(self, dataset):
        real, fake, seen = nn.metrics.Mean(), nn.metrics.Mean(), 0
        for batch in dataset:
            images = tf.cast(batch["images"], tf.float32) / 255
            rows = int(tf.shape(images)[0])
            real.update(self._probability(images))
            fake.update(self._probability(self.generate(self.latents(seen + rows, 0)[seen:])))
            seen += rows
        return {"d_real": real.result(), "d_fake": fake.result()}

    def conclude(self, source, values):
        return (
            f"The discriminator gives held-out pictures {values['d_real']:.3f} and generated ones "
            f"{values['d_fake']:.3f}; `python -m bin.evaluate_dcgan` measures how good the latter are."
        )

    @property
    def frames_per_second(self):
        return 5 if self.config.dataset in DIGITS else 10

    def samples(self):
        return {"sample": viz.montage(self.generate(self.latents(100, self.config.seed)).numpy())}

    def pictures(self, source):
        ends = self.latents(20, self.config.seed)
        way = tf.reshape(tf.linspace(ends[:10], ends[10:], 10, axis=1), [100, -1])
        return {
            "real": viz.montage(source.train["images"][:100]),
            "interpolation": viz.montage(self.generate(way).numpy()),
        }

    def curves(self, history):
        def lines(names):
            reports = [r for r in history if r["split"] == "train"]
            steps = np.array([r["step"] for r in reports])
            return {label: (steps, [r["values"][name] for r in reports]) for name, label in names.items()}

        beliefs = {"d_real": "D(x)", "d_fake_before": "D(G(z)), D step", "d_fake_after": "D(G(z)), last G step"}
        norms = {"d_gradient_norm": "discriminator", "g_gradient_norm": "generator"}
        return {
            "loss": viz.curves(lines({"d_loss": "discriminator", "g_loss": "generator"}), "Loss"),
            "beliefs": viz.curves(lines(beliefs), "Discriminator"),
            "gradient_norms": viz.curves(lines(norms), "Gradient norm"),
        }

    def warning(self, history):
        """Advice each time that the discriminator was sure of everything for long (`SATURATED_...`)."""
        reports = [r["values"] for r in reversed(history) if r["split"] == "train"]
        sure = [v["d_real"] > SATURATED_REAL and v["d_fake_before"] < SATURATED_FAKE for v in reports]
        in_a_row = sure.index(False) if False in sure else len(sure)
        if in_a_row == 0 or in_a_row % SATURATED_REPORTS:
            return ""
        return (
            f"the discriminator has told real from generated pictures with more than {SATURATED_REAL:.0%} certainty in "
            f"{SATURATED_REPORTS} reports in a row, so that the generator learns little: more --g_steps, a lower "
            "--learning_rate, --spectral_norm or --loss=hinge may help."
        )

    def signatures(self):
        @tf.function(input_signature=[tf.TensorSpec([None, self.config.latent_dim], tf.float32, "z")])
        def serving_default(z):
            """Latents in [-1, 1] to pictures in [0, 1]."""
            return {"images": self._sample(z)}

        @tf.function(input_signature=[tf.TensorSpec([None, self.config.latent_dim], tf.float32, "z")])
        def generate_bytes(z):
            """Latents in [-1, 1] to PNG files."""
            return {"image_bytes": encode_batch(self._sample(z))}

        @tf.function(input_signature=[tf.TensorSpec([None, *self._image_shape], tf.float32, "images")])
        def discriminate(images):
            """Pictures in [0, 1] to how real they seem."""
            return {"probability": self._probability(images)}

        return {"serving_default": serving_default, "generate_bytes": generate_bytes, "discriminate": discriminate}

    def requests(self):
        z = self.latents(3, 0).numpy()
        images = np.linspace(0, 1, 3 * np.prod(self._image_shape), dtype=np.float32).reshape(3, *self._image_shape)
        return {"serving_default": {"z": z}, "generate_bytes": {"z": z}, "discriminate": {"images": images}}


def draw_latents(count, latent_dim, seed):
    """float32 [count, latent_dim] in [-1, 1); a longer draw of a seed begins with the shorter one."""
    return _uniform([count, latent_dim], nn.random.at_step(nn.random.fold(seed, "latents"), 0))


def _signed(images, dtype):
    """uint8 to [-1, 1]."""
    with tf.name_scope("input"):
        return tf.cast(tf.cast(images, tf.float32) / 127.5 - 1, dtype)


def _uniform(shape, seed):
    return nn.random.uniform(shape, seed, -1.0, 1.0)
