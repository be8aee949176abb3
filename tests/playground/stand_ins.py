"""Models with the signatures of the cases, whose answers are simple rules instead of what was learnt; without cards.

They are saved in about a second each, and a test can say what they must answer.
"""

import json

import tensorflow as tf

from tf2cases import playground

SIZE = 28  # of the digits
FACE = 32  # the side of the generator's pictures
LATENTS = 8  # of the generator
MISREAD = "8024"  # the captcha that the reader takes for 8O24
COLORS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "white": (1, 1, 1), "black": (0, 0, 0)}


def signature(**specs):
    """A tf.function that takes batches: name=(dtype, *shape without the batch)."""
    return tf.function(
        input_signature=[tf.TensorSpec([None, *shape], dtype, name) for name, (dtype, *shape) in specs.items()]
    )


def decoded(files, height, width, channels):
    """Picture files, string [N] -> float32 [N, height, width, channels] in [0, 1]."""

    def one(file):
        image = tf.image.convert_image_dtype(tf.io.decode_image(file, channels, expand_animations=False), tf.float32)
        return tf.image.resize(image, [height, width], antialias=True)

    return tf.map_fn(one, files, tf.TensorSpec([height, width, channels], tf.float32))


def encoded(images):
    """float32 [N, H, W, C] in [0, 1] -> PNG files, string [N]."""
    return tf.map_fn(lambda image: tf.io.encode_png(tf.cast(255 * image, tf.uint8)), images, tf.string)


class Reader(tf.Module):
    """Reads a captcha of the page as that which looks most like it, and takes the 0 of `MISREAD` for an O."""

    def __init__(self):
        super().__init__()
        assets = playground.STATIC / "assets"
        self.texts = json.loads((assets / "captchas.json").read_text())["texts"]
        sheet = tf.io.decode_png((assets / "captchas.png").read_bytes(), 1)
        tiles = tf.reshape(tf.cast(sheet, tf.float32) / 255, [10, 60, 5, 160])
        self.tiles = tf.Variable(self.small(tf.reshape(tf.transpose(tiles, [0, 2, 1, 3]), [50, 60, 160, 1])))

    def small(self, images):
        return tf.reshape(tf.image.resize(images, [15, 40], antialias=True), [-1, 600])

    def signatures(self):
        texts = tf.constant([text.replace("0", "O") if text == MISREAD else text for text in self.texts])

        @signature(images=(tf.float32, 60, 160, 1))
        def serving_default(images):
            return {"probabilities": tf.ones([tf.shape(images)[0], 4, 10]) / 10}

        @signature(image_bytes=(tf.string,))
        def read_bytes(image_bytes):
            images = self.small(decoded(image_bytes, 60, 160, 1))
            away = tf.reduce_mean((images[:, None] - self.tiles) ** 2, axis=2)
            sure = tf.exp(-10 * tf.reduce_min(away, axis=1))
            return {
                "text": tf.gather(texts, tf.argmin(away, axis=1)),
                "confidence": sure,
                "characters": sure[:, None] ** tf.constant([[0.1, 0.2, 0.3, 0.4]]),
            }

        return {"serving_default": serving_default, "read_bytes": read_bytes}


class Denoiser(tf.Module):
    """Replaces each pixel by the mean of its neighbourhood."""

    def signatures(self):
        @signature(images=(tf.float32, SIZE, SIZE, 1))
        def serving_default(images):
            return {"denoised": tf.nn.avg_pool2d(images, 3, 1, "SAME")}

        return {"serving_default": serving_default}


class PlaneOfBlobs(tf.Module):
    """Decodes a point to a blob at this place of the picture; encodes a picture to the place where its light is."""

    def signatures(self):
        places = tf.linspace(-3.0, 3.0, SIZE)

        def draw(z):
            across = tf.exp(-((places[None, None, :] - z[:, 0, None, None]) ** 2))
            down = tf.exp(-((-places[None, :, None] - z[:, 1, None, None]) ** 2))
            return (across * down)[..., None]

        def place(images):
            light = tf.reduce_sum(images, axis=[1, 2, 3]) + 1e-6
            across = tf.reduce_sum(images * places[None, None, :, None], axis=[1, 2, 3]) / light
            down = tf.reduce_sum(images * -places[None, :, None, None], axis=[1, 2, 3]) / light
            return tf.stack([across, down], axis=1)

        @signature(images=(tf.float32, SIZE, SIZE, 1))
        def serving_default(images):
            return {"reconstructions": draw(place(images))}

        @signature(images=(tf.float32, SIZE, SIZE, 1))
        def encode(images):
            mean = place(images)
            return {"mean": mean, "log_variance": tf.zeros_like(mean) - 3}

        @signature(z=(tf.float32, 2))
        def decode(z):
            return {"images": draw(z)}

        return {"serving_default": serving_default, "encode": encode, "decode": decode}


class Generator(tf.Module):
    """Draws a disc whose colour, size and place the latents say."""

    def signatures(self):
        places = tf.linspace(-1.0, 1.0, FACE)

        def draw(z):
            z = z[:, :, None, None]
            away = (places[None, None, :] - 0.4 * z[:, 0]) ** 2 + (places[None, :, None] - 0.4 * z[:, 1]) ** 2
            disc = tf.sigmoid(20 * (0.3 + 0.1 * z[:, 2] - away))[..., None]
            color, ground = (tf.transpose((z[:, i : i + 3] + 1) / 2, [0, 2, 3, 1]) for i in (2, 5))
            return disc * color + (1 - disc) * ground

        @signature(z=(tf.float32, LATENTS))
        def serving_default(z):
            return {"images": draw(z)}

        @signature(z=(tf.float32, LATENTS))
        def generate_bytes(z):
            return {"image_bytes": encoded(draw(z))}

        return {"serving_default": serving_default, "generate_bytes": generate_bytes}


class Colors(tf.Module):
    """Names the colour that is nearest to a photo's mean colour."""

    def signatures(self):
        names, values = tf.constant(list(COLORS)), tf.constant(list(COLORS.values()), tf.float32)

        @signature(image_bytes=(tf.string,))
        def classify_bytes(image_bytes):
            means = tf.reduce_mean(decoded(image_bytes, 8, 8, 3), axis=[1, 2])
            away = tf.reduce_sum((means[:, None] - values) ** 2, axis=2)
            scores, order = tf.math.top_k(tf.nn.softmax(-5 * away), 5)
            return {"classes": tf.gather(names, order), "scores": scores}

        @signature(images=(tf.float32, 8, 8, 3))
        def serving_default(images):
            return {"probabilities": tf.nn.softmax(tf.reduce_mean(images, axis=[1, 2]))}

        return {"serving_default": serving_default, "classify_bytes": classify_bytes}


def _saver(kind):
    def save(folder):
        model = kind()
        tf.saved_model.save(model, str(folder), signatures=model.signatures())

    return save


# {name: what writes a version into a folder}
MODELS = {
    "captcha": _saver(Reader),
    "denoiser": _saver(Denoiser),
    "generator": _saver(Generator),
    "photos": _saver(Colors),
    "vae": _saver(PlaneOfBlobs),
}
