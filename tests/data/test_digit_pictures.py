"""Pictures of digits, however they were drawn, look like MNIST's."""

import gzip

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2cases.data.digit_pictures import to_digit


def stroke():
    """A bright "7" on black, uint8 [28, 28]."""
    digit = np.zeros([28, 28], np.uint8)
    digit[5:8, 8:20] = 250
    for row in range(8, 24):
        left = 17 - (row - 8) // 2
        digit[row, left : left + 3] = 200 + row
    return digit


def rgba_of(grey):
    return np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)


def test_28x28_digits_are_unchanged_and_dark_ones_on_light_paper_inverted():
    digit = stroke()
    for grey in (digit, 255 - digit):
        result = to_digit(rgba_of(grey))
        np.testing.assert_allclose(result[..., 0], digit / 255.0, atol=1 / 255)


def test_ink_on_transparent_ground_is_dark_ink_on_white():
    digit = stroke()
    ink = np.concatenate([np.zeros([28, 28, 3], np.uint8), digit[..., None]], axis=-1)
    np.testing.assert_allclose(to_digit(ink)[..., 0], digit / 255.0, atol=1 / 255)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(("page", "corner"), [((200, 300), (10, 150)), ((300, 200), (170, 3))])
def test_a_digit_anywhere_on_a_page_lands_in_mnists_box(page, corner, invert):
    large = np.kron(stroke(), np.ones([4, 4], np.uint8))  # 112x112
    sheet = np.zeros(page, np.uint8)
    sheet[corner[0] : corner[0] + 112, corner[1] : corner[1] + 112] = large
    result = to_digit(rgba_of(255 - sheet if invert else sheet)).numpy()[..., 0]
    inked = np.argwhere(result > 0.05)
    assert max(np.ptp(inked, axis=0)) + 1 in (19, 20, 21)
    middle = (np.argwhere(result >= 0) * result.reshape(-1, 1)).sum(0) / result.sum()
    np.testing.assert_allclose(middle, 13.5, atol=0.51)  # MNIST's centre of mass, to the pixel
    assert result.max() > 0.9
    assert result.min() == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 50), (3, 700), (28, 29), (1500, 1100)])
@pytest.mark.parametrize("value", [0, 90, 255])
def test_blank_pictures_of_any_size_give_finite_digits(shape, value):
    result = to_digit(rgba_of(np.full(shape, value, np.uint8))).numpy()
    assert result.shape == (28, 28, 1)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() < 0.36  # 90 / 255 is the darkest blank page
    if value != 90:
        assert result.max() == 0


def test_real_digits_survive_a_page(shared):
    with gzip.open(shared / "data/mnist/t10k-images-idx3-ubyte.gz") as file:
        digits = np.frombuffer(file.read(16 + 784 * 40)[16:], np.uint8).reshape(-1, 28, 28)
    traced = tf.function(to_digit, input_signature=[tf.TensorSpec([None, None, 4], tf.uint8)])
    likeness = []
    for digit in digits:
        sheet = np.zeros([180, 260], np.uint8)
        sheet[30:114, 140:224] = np.asarray(Image.fromarray(digit).resize((84, 84), Image.Resampling.BICUBIC))
        result = traced(rgba_of(255 - sheet)).numpy()[..., 0]
        shifts = [np.roll(result, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        likeness.append(max(np.corrcoef(shifted.ravel(), digit.ravel())[0, 1] for shifted in shifts))
    assert np.mean(likeness) > 0.9
