"""A small tf.Module with every kind of signature, for the tests of exports."""

import numpy as np
import tensorflow as tf

from tf2cases.data.digit_pictures import find_digit
from tf2cases.data.pictures.graph import decode_batch

LABELS = [str(digit) for digit in range(10)]


class SmallModel(tf.Module):
    """One dense layer with a random kernel, and an optimizer slot that no signature reads."""

    def __init__(self):
        super().__init__()
        random = np.random.default_rng(0)
        self.kernel = tf.Variable(random.normal(0, 0.1, [784, 10]), dtype=tf.float32, name="kernel")
        self.mean = tf.Variable(tf.zeros([784]), trainable=False, name="moving_mean")
        self.slot = tf.Variable(tf.ones([784, 10]), name="slot")

    def probabilities(self, images):
        return tf.nn.softmax((tf.reshape(images, [-1, 784]) - self.mean) @ self.kernel)

    def signatures(self):
        @tf.function(input_signature=[tf.TensorSpec([None, 28, 28, 1], tf.float32, name="images")])
        def serve(images):
            return {"probabilities": self.probabilities(images)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def classify_bytes(image_bytes_):
            images = decode_batch(image_bytes_, lambda rgba: find_digit(rgba).images[0], [28, 28, 1])
            probabilities = self.probabilities(images)
            label = tf.gather(tf.constant(LABELS), tf.argmax(probabilities, axis=-1))
            return {"probabilities": probabilities, "label": label}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
        def classify(inputs):
            parsed = tf.io.parse_example(inputs, {"image": tf.io.FixedLenFeature([28, 28, 1], tf.float32)})
            scores = self.probabilities(parsed["image"])
            classes = tf.tile(tf.constant([LABELS]), [tf.shape(scores)[0], 1])
            return {"classes": classes, "scores": scores}

        return {"serving_default": serve, "classify_bytes": classify_bytes, "classify": classify}


def examples(images):
    """Serialized tf.Example of each image."""
    feature = [tf.train.Feature(float_list=tf.train.FloatList(value=image.ravel())) for image in images]
    return np.array(
        [tf.train.Example(features=tf.train.Features(feature={"image": f})).SerializeToString() for f in feature],
        object,
    )


def png(images):
    """Encoded PNG of each float image in [0, 1]."""
    return np.array([tf.io.encode_png(np.uint8(np.round(image * 255))).numpy() for image in images], object)


def requests(count=3):
    images = np.random.default_rng(1).random([count, 28, 28, 1]).astype(np.float32)
    return {
        "serving_default": {"images": images},
        "classify_bytes": {"image_bytes": png(images)},
        "classify": {"inputs": examples(images)},
    }
