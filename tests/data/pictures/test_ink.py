"""What was written is found whatever the light and the surroundings."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases.data.pictures import ink

find = tf.function(ink.find, input_signature=[tf.TensorSpec([None, None, 4], tf.uint8)])


def photo(page):
    """Brightness [height, width] in [0, 1] -> opaque grey RGBA."""
    grey = np.clip(page * 255, 0, 255).round().astype(np.uint8)
    return np.stack([grey, grey, grey, np.full_like(grey, 255)], -1)


def page_with_a_cross(height=240, width=180, y=90, x=60, long=60, thick=8):
    page = np.full([height, width], 0.9)
    page[y : y + long, x + long // 2 : x + long // 2 + thick] = 0.1
    page[y + long // 2 : y + long // 2 + thick, x : x + long] = 0.1
    return page


CROSS = [90, 60, 149, 119]  # first row and column, last row and column


def the_box(found):
    """The box of the heaviest region that keeps off the border."""
    weight = np.where(found.inside, found.weight, 0)
    return found.boxes.numpy()[weight.argmax()].tolist()


def shadow(page):
    page[:, 95:] *= 0.5
    return page


def soft_shadow(page):
    return page * (1 - 0.45 / (1 + np.exp((100 - np.arange(180)) / 10)))


def slope(page):
    return page * np.linspace(0.35, 1, 240)[:, None]


def desk(page):
    page[:, :20] = page[:15] = page[-12:] = 0.2
    return page


def frame(page):
    page[:2] = page[-2:] = page[:, :2] = page[:, -2:] = 0
    return page


def ruled(page):
    page[::20] = np.where(page[::20] > 0.5, 0.65, page[::20])
    return page


def chalk(page):
    return 1 - page


def narrow_shadow(page):
    light = np.ones([240, 180])
    light[:, 66:90] = 0.6  # narrower than the digit's height, beside and under it
    return page * light


def wedge(page):
    """A shadow in a corner."""
    y, x = np.mgrid[:240, :180]
    return page * np.where(x + y < 60, 0.5, 1)


def dust(page):
    page[30:33, 30:33] = page[200:203, 150:153] = 0
    return page


@pytest.mark.parametrize(
    "change",
    [np.copy, shadow, soft_shadow, narrow_shadow, wedge, slope, desk, frame, ruled, chalk, dust],
    ids=lambda change: change.__name__,
)
def test_the_heaviest_region_is_what_was_written(change):
    found = find(photo(change(page_with_a_cross())))
    np.testing.assert_allclose(the_box(found), CROSS, atol=2)


def test_a_narrow_shadow_is_no_ink():
    found = find(photo(narrow_shadow(page_with_a_cross())))
    assert found.weight.shape == (1,)
    assert np.abs(found.darkness.numpy()[:80]).max() < 0.1


def test_pencil_is_ink_although_it_is_light():
    page = page_with_a_cross(thick=14)
    page[page < 0.5] = 0.55
    np.testing.assert_allclose(the_box(find(photo(page))), CROSS[:2] + [149, 119], atol=2)


def test_dark_strokes_that_cover_most_of_a_picture_are_full_and_no_ground():
    page = np.full([240, 180], 0.9)
    page[10:230, 50:130] = page[80:160, 10:170] = 0.1  # 56 % of all
    found = find(photo(page))
    assert found.inside.numpy().tolist() == [True]
    np.testing.assert_allclose(found.boxes[0], [10, 10, 229, 169], atol=1)
    assert found.darkness.numpy()[120, 90] > 0.8


def test_the_part_of_a_region_in_its_corners_is_told():
    page = np.full([240, 180], 0.9)
    page[50:190, 30:150] = 0.1
    page[54:186, 34:146] = 0.9  # a printed box, 140 x 120, with lines of 4
    np.testing.assert_allclose(find(photo(page)).cornered, [(14 * 12 - 10 * 8) / (140 * 120 - 132 * 112)], rtol=0.05)
    assert find(photo(page_with_a_cross())).cornered.numpy().tolist() == [0.0]


def test_darkness_is_relative_to_the_paper_around():
    page = page_with_a_cross()
    dark = find(photo(page)).darkness.numpy()
    np.testing.assert_allclose(dark[120, 90], 1 - 26 / 230, atol=0.01)  # 0.1 and 0.9 as bytes
    assert dark[:80].max() < 1e-6
    np.testing.assert_allclose(find(photo(page * 0.5)).darkness.numpy()[120, 90], dark[120, 90], atol=0.02)


def test_large_photos_are_averaged_to_384_pixels():
    page = np.kron(page_with_a_cross(), np.ones([8, 8]))  # 1920x1440
    noisy = page + 0.1 * np.random.default_rng(0).standard_normal(page.shape)
    found = find(photo(noisy))
    assert found.darkness.shape == (384, 288)
    np.testing.assert_allclose(the_box(found), np.array(CROSS) * 1.6, atol=3)


def test_transparent_paper_is_white():
    page = page_with_a_cross()
    rgba = np.zeros([240, 180, 4], np.uint8)
    rgba[..., 3] = (1 - page) * 255
    np.testing.assert_allclose(the_box(find(rgba)), CROSS, atol=1)


@pytest.mark.parametrize("value", [0.0, 0.35, 0.8, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (300, 200)])
def test_a_blank_page_has_no_regions(value, shape):
    assert find(photo(np.full(shape, value))).weight.shape == (0,)


def test_what_touches_the_border_is_not_inside():
    page = page_with_a_cross(y=0)
    found = find(photo(page))
    assert found.inside.numpy().tolist() == [False]
    assert find(photo(page_with_a_cross())).inside.numpy().tolist() == [True]
