"""Pictures of digits, however they were drawn, look like MNIST's."""

import gzip

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2cases.data.digit_pictures import MOST, find_digit, find_digits


def to_digit(rgba):
    return find_digit(rgba).images[0]


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


def page_of(*places, shape=(300, 420), scale=2):
    """Dark strokes on light paper: `stroke` at each place (top, left)."""
    sheet = np.zeros(shape, np.uint8)
    for top, left in places:
        large = np.kron(stroke(), np.ones([scale, scale], np.uint8))
        sheet[top : top + large.shape[0], left : left + large.shape[1]] += large
    return rgba_of(240 - np.minimum(sheet, 220))


def test_digits_of_a_page_come_line_by_line_from_left_to_right():
    places = [(38, 200), (30, 40), (120, 300), (128, 150), (118, 20)]
    found = find_digits(page_of(*places))
    assert found.images.shape == (5, 28, 28, 1)
    order = [(30, 40), (38, 200), (118, 20), (128, 150), (120, 300)]
    corners = np.array(order) + [2 * 5, 2 * 8]  # the ink begins at row 5 and column 8 of the stroke
    np.testing.assert_allclose(found.boxes[:, :2] * [300, 420], corners, atol=3)
    np.testing.assert_allclose((found.boxes[:, 2:] - found.boxes[:, :2]) * [300, 420], [[38, 24]] * 5, atol=4)
    np.testing.assert_allclose(found.certainty, 1, atol=0.01)


def test_each_digit_of_a_page_looks_as_if_it_were_alone():
    together = find_digits(page_of((30, 40), (120, 300)))
    for image, place in zip(together.images, [(30, 40), (120, 300)], strict=True):
        np.testing.assert_allclose(image, to_digit(page_of(place)), atol=0.02)


def test_a_blank_page_has_no_digits_and_no_certainty():
    blank = rgba_of(np.full([200, 300], 230, np.uint8))
    assert find_digits(blank).images.shape == (0, 28, 28, 1)
    assert find_digit(blank).certainty.numpy() == [0]


def test_specks_and_dashes_are_no_digits():
    page = page_of((30, 40), (120, 300))
    page[200:203, 200:203, :3] = page[250:255, 100:200, :3] = 20
    assert len(find_digits(page).images) == 2


def test_at_most_32_digits_are_read():
    places = [(row * 40 + 10, column * 40 + 10) for row in range(6) for column in range(8)]
    found = find_digits(page_of(*places, shape=(260, 340), scale=1))
    assert len(found.images) == MOST == 32
    assert found.boxes.numpy()[:, 2].max() < 0.7  # the first four of six lines


def test_a_stroke_beside_a_digit_belongs_to_it():
    page = page_of((90, 120))
    whole = find_digit(page)
    page[100:108, 161:173, :3] = 20  # the bar goes on after a gap
    wider = find_digit(page)
    assert wider.boxes[0, 3] * 420 > whole.boxes[0, 3] * 420 + 10


def boxed(page, margin, grey=90):
    """Draws a printed box around each of the digits of `page_of`."""
    for place in ((60, 80), (60, 240)):
        top, left = place[0] - margin, place[1] - margin
        bottom, right = place[0] + 56 + margin, place[1] + 56 + margin
        for rows, columns in (
            (slice(top, top + 2), slice(left, right)),
            (slice(bottom, bottom + 2), slice(left, right + 2)),
            (slice(top, bottom), slice(left, left + 2)),
            (slice(top, bottom), slice(right, right + 2)),
        ):
            page[rows, columns, :3] = grey
    return page


@pytest.mark.parametrize("margin", [2, 15, 40])
def test_printed_boxes_around_digits_are_no_digits(margin):
    plain = find_digits(page_of((60, 80), (60, 240)))
    found = find_digits(boxed(page_of((60, 80), (60, 240)), margin))
    np.testing.assert_allclose(found.boxes, plain.boxes, atol=0.01)
    np.testing.assert_allclose(found.images, plain.images, atol=0.1)
    assert found.certainty.numpy().min() > 0.9


def test_a_piece_that_is_farther_off_belongs_to_a_digit_only_if_that_is_alone():
    page = np.full([300, 300], 235, np.uint8)
    page[60:140, 120:136] = page[154:200, 120:136] = 20
    np.testing.assert_allclose(find_digit(rgba_of(page)).boxes[0] * 300, [60, 120, 200, 136], atol=1)
    assert len(find_digits(rgba_of(page)).boxes) == 2


def test_two_digits_are_not_certainly_one():
    assert find_digit(page_of((90, 120))).certainty.numpy() == [1]
    assert find_digit(page_of((90, 120), (90, 250))).certainty.numpy()[0] < 0.5


def test_leaning_strokes_are_made_more_upright():
    """A bar that leans by 45 degrees leans by 0.15 pixels a pixel afterwards, which is 3 pixels over its 20."""
    sheet = np.full([200, 200], 230, np.uint8)
    for row in range(40, 160):
        sheet[row, 190 - row : 202 - row] = 20
    image = to_digit(rgba_of(sheet)).numpy()[..., 0]
    rows, columns = np.nonzero(image > 0.5)
    slope = np.polyfit(rows, columns, 1)[0]
    assert slope == pytest.approx(-0.15, abs=0.05)


def test_thin_strokes_are_made_bolder():
    sheet = np.full([400, 400], 230, np.uint8)
    sheet[100:300, 150:153] = sheet[100:103, 150:250] = sheet[297:300, 150:250] = 20
    image = to_digit(rgba_of(sheet)).numpy()
    plain = np.zeros([20, 10])  # the same strokes with their true share of a pixel
    plain[:, 0] = plain[0] = plain[-1] = 0.3
    assert image.sum() > 1.3 * plain.sum()
