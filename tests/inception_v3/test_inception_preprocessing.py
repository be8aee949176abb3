"""Pictures as each kind of weights wants them, against TensorFlow's own operations."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2cases.inception_v3.preprocessing import GRAPH_2015, KERAS, SLIM

SIZES = pytest.mark.parametrize("size", [(299, 299), (40, 61), (700, 311), (1, 1), (300, 2000)], ids=str)
CLOSE = dict(rtol=0, atol=2e-5)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, [height, width, 3], np.uint8)


def opaque(rgb):
    return np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=-1)


@SIZES
def test_keras_is_todays_resize_to_minus_one_and_one(size):
    rgb = picture(*size)
    expected = tf.image.resize(rgb.astype(np.float32), [299, 299]) / 127.5 - 1
    np.testing.assert_allclose(KERAS.scaled(KERAS.to_image(opaque(rgb))), expected, **CLOSE)


@SIZES
def test_slim_crops_and_resizes_in_the_old_way(size):
    rgb = picture(*size)
    cropped = tf.image.central_crop(tf.image.convert_image_dtype(rgb, tf.float32), 0.875)
    expected = (tf.compat.v1.image.resize_bilinear(cropped[None], [299, 299])[0] - 0.5) * 2
    np.testing.assert_allclose(SLIM.scaled(SLIM.to_image(opaque(rgb))), expected, **CLOSE)


@SIZES
def test_the_graph_of_2015_resizes_in_the_old_way(size):
    rgb = picture(*size)
    expected = (tf.raw_ops.ResizeBilinear(images=rgb[None].astype(np.float32), size=[299, 299])[0] - 128) / 128
    np.testing.assert_allclose(GRAPH_2015.scaled(GRAPH_2015.to_image(opaque(rgb))), expected, **CLOSE)


def test_a_batch_is_its_pictures():
    rgba = opaque(np.stack([picture(40, 61, 1), picture(40, 61, 2)]))
    together = KERAS.to_image(rgba)
    for one, row in zip(rgba, together, strict=True):
        np.testing.assert_array_equal(KERAS.to_image(one), row)


def test_transparent_pixels_are_white_before_they_are_mixed():
    # 2 x 1 pixels: red half transparent, black wholly so. On white: (1, 0.5, 0.5) and (1, 1, 1).
    rgba = np.array([[[255, 0, 0, 128], [0, 0, 0, 0]]], np.uint8)
    image = GRAPH_2015.to_image(rgba).numpy()
    np.testing.assert_allclose(image[0, 0], [1, 127 / 255, 127 / 255], atol=1e-6)
    np.testing.assert_allclose(image[0, -1], [1, 1, 1], atol=1e-6)


def encoded(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_files_of_every_format_give_the_same_image():
    rgb = np.kron(picture(12, 9), np.ones([5, 7, 1], np.uint8))
    image = Image.fromarray(rgb)
    files = [encoded(image, "PNG"), encoded(image, "BMP"), encoded(image.convert("RGBA"), "PNG")]
    images = KERAS.decode(tf.constant(files)).numpy()
    assert images.shape == (3, 299, 299, 3)
    for one in images:
        np.testing.assert_array_equal(one, KERAS.to_image(opaque(rgb)))
    grey = rgb[..., 0]
    deep = tf.io.encode_png(grey[..., None].astype(np.uint16) * 257).numpy()
    grey_files = [encoded(Image.fromarray(grey), "PNG"), deep]
    for one in KERAS.decode(tf.constant(grey_files)).numpy():
        np.testing.assert_array_equal(one, KERAS.to_image(opaque(np.stack([grey] * 3, -1))))
    jpeg = KERAS.decode(tf.constant([encoded(image, "JPEG", quality=100, subsampling=0)])).numpy()[0]
    np.testing.assert_allclose(jpeg, images[0], atol=0.03)


def test_jpegs_are_decoded_as_the_weights_authors_did():
    file = tf.constant(encoded(Image.fromarray(np.kron(picture(30, 40), np.ones([10, 10, 1], np.uint8))), "JPEG"))
    for kind, method in ((KERAS, "INTEGER_ACCURATE"), (SLIM, ""), (GRAPH_2015, "")):
        rgb = tf.io.decode_jpeg(file, channels=3, dct_method=method).numpy()
        np.testing.assert_array_equal(kind.decode(file[None])[0], kind.to_image(opaque(rgb)))


def test_the_size_of_a_large_picture_costs_no_float_copy_of_it():
    # 48 megapixels as float32 RGBA would be 768 MB; the graph may only ever gather 598 rows of it.
    for way, has_casts in ((KERAS.to_image, False), (KERAS._resized_on_white, True)):
        function = tf.function(way).get_concrete_function(tf.TensorSpec([None, None, 4], tf.uint8))
        casts = [op for op in function.graph.get_operations() if op.type == "Cast" and op.inputs[0].dtype == tf.uint8]
        assert bool(casts) == has_casts
        assert all(op.inputs[0].op.type == "GatherV2" for op in casts)
