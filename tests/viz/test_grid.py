import numpy as np
import pytest

from tf2cases.viz import labelled, montage, to_uint8


def test_montage_places_every_pixel_by_hand():
    images = np.array([[[1, 2]], [[3, 4]], [[5, 6]]], np.uint8)[..., None]  # three of 1 x 2
    g = 128
    expected = [
        [g, g, g, g, g, g, g],
        [g, 1, 2, g, 3, 4, g],
        [g, g, g, g, g, g, g],
        [g, 5, 6, g, g, g, g],  # the free place is grey
        [g, g, g, g, g, g, g],
    ]
    grid = montage(images)  # ceil(sqrt(3)) = 2 columns
    assert grid.dtype == np.uint8
    np.testing.assert_array_equal(grid[..., 0], expected)


def test_montage_keeps_colours_and_obeys_columns_and_border():
    images = np.arange(5 * 2 * 3 * 3, dtype=np.uint8).reshape(5, 2, 3, 3)
    grid = montage(images, columns=3, border=2, border_value=7)
    assert grid.shape == (2 * (2 + 2) + 2, 3 * (3 + 2) + 2, 3)
    np.testing.assert_array_equal(grid[2:4, 12:15], images[2])
    np.testing.assert_array_equal(grid[6:8, 7:10], images[4])
    assert (grid[:2] == 7).all()
    assert (grid[:, -2:] == 7).all()


def test_montage_without_border_is_the_pictures_alone():
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    np.testing.assert_array_equal(montage(images, border=0)[..., 0], [[0, 1], [2, 3]])


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4), (64, 8)])
def test_montage_is_nearly_square_by_default(count, columns):
    assert montage(np.zeros((count, 1, 1, 1), np.uint8)).shape[1] == 2 * columns + 1


def test_montage_does_not_write_into_its_input():
    images = np.full((2, 3, 3, 1), 9, np.uint8)
    montage(images)[:] = 0
    assert (images == 9).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_white_and_what_lies_outside_the_range_does_not_wrap(dtype):
    values = np.array([1.0, 1.001, 2.0, 300.0, -0.001, -5.0, 0.0], dtype)
    assert to_uint8(values).tolist() == [255, 255, 255, 255, 0, 0, 0]


def test_floats_are_rounded_to_the_nearest_byte():
    # Halves of a byte are the boundaries: 0.49 -> 0, 0.51 -> 1, 254.49 -> 254, 254.51 -> 255.
    values = np.array([0.49, 0.51, 127.49, 127.51, 254.49, 254.51]) / 255
    assert to_uint8(values).tolist() == [0, 1, 127, 128, 254, 255]
    assert to_uint8(np.float32(0.5)) == 128  # 127.5, to even


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_byte_survives_the_way_to_float_and_back(dtype):
    levels = np.arange(256)
    np.testing.assert_array_equal(to_uint8((levels / 255).astype(dtype)), levels)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((0, 2, 2, 1), np.uint8), {}, r"shape \[0, 2, 2, 1\], but must be \[N, h, w, 1\]"),
        (np.zeros((2, 2, 1), np.uint8), {}, r"shape \[2, 2, 1\], but must be"),
        (np.zeros((2, 2, 2, 4), np.uint8), {}, r"shape \[2, 2, 2, 4\], but must be"),
        (np.zeros((2, 2, 2, 1), np.int32), {}, r"images are int32, but must be uint8 or float"),
        (np.full((1, 1, 1, 1), np.nan), {}, r"not finite"),
        (np.zeros((1, 2, 2, 1), np.uint8), {"columns": 0}, r"columns is 0, but must be at least 1"),
        (np.zeros((1, 2, 2, 1), np.uint8), {"border": -1}, r"border is -1, but must be at least 0"),
        (np.zeros((1, 2, 2, 1), np.uint8), {"border_value": 256}, r"border_value is 256, but must be between 0 and"),
    ],
)
def test_montage_refuses_with_a_sentence(images, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        montage(images, **options)


def _holds(page, picture):
    """Whether the picture lies somewhere in the page, pixel for pixel."""
    h, w = picture.shape
    starts = np.lib.stride_tricks.sliding_window_view(page[: -h + 1, :, 0], w, axis=1)
    places = np.argwhere((starts == picture[0]).all(axis=2))  # where its first row is
    return any((page[y : y + h, x : x + w, 0] == picture).all() for y, x in places)


def _red(page):
    return int(((page[..., 0].astype(int) - page[..., 1]) > 100).sum())


def test_labelled_holds_each_picture_enlarged_and_inverted_on_white():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 28, 28, 1), np.uint8)
    page = labelled(images, range(5), columns=3)
    dark = labelled(images, range(5), columns=3, invert=True)
    assert page.dtype == np.uint8
    assert page.shape == dark.shape
    assert page.shape[2] == 3
    assert page[0, 0].tolist() == [255, 255, 255]
    for image in images[..., 0]:
        enlarged = np.kron(image, np.ones((3, 3), np.uint8))  # 28 * 3 = 84, the largest multiple up to 96
        assert _holds(page, enlarged)
        assert _holds(dark, 255 - enlarged)
        assert not _holds(dark, enlarged)


def test_labelled_writes_only_marked_labels_in_red():
    images = np.zeros((4, 28, 28, 1), np.uint8)
    assert _red(labelled(images, "1234", 2)) == 0
    one = _red(labelled(images, "1234", 2, marks=[False, True, False, False]))
    two = _red(labelled(images, "1234", 2, marks=[False, True, True, False]))
    assert 0 < one < two


def test_labelled_takes_colour_pictures_and_makes_room_for_long_labels():
    images = np.zeros((2, 40, 40, 3), np.float32)
    images[..., 1] = 1
    short = labelled(images, ["a", "b"], 2)
    long = labelled(images, ["a", "a label of many words"], 2)
    high = labelled(images, ["a", "two\nlines"], 2)
    assert long.shape[1] > short.shape[1]
    assert high.shape[0] > short.shape[0]
    assert (short == [0, 255, 0]).all(axis=2).sum() == 2 * 80 * 80


def test_labelled_takes_dollar_signs_as_they_are():
    images = np.zeros((1, 8, 8, 1), np.uint8)
    labelled(images, ["$\\nothing$"], 1)  # as a formula this would raise


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "abc"}, r"3 labels, but there must be 2, one for each image"),
        ({"labels": "ab", "marks": [True]}, r"marks are bool \[1\], but must be bool \[2\]"),
        ({"labels": "ab", "marks": [0, 1]}, r"marks are int64 \[2\], but must be bool \[2\]"),
        ({"labels": "ab", "columns": -2}, r"columns is -2, but must be at least 1"),
    ],
)
def test_labelled_refuses_with_a_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        labelled(np.zeros((2, 8, 8, 1), np.uint8), **options)


def test_labelled_refuses_what_is_not_pictures():
    with pytest.raises(ValueError, match=r"shape \[8, 8\], but must be"):
        labelled(np.zeros((8, 8), np.uint8), "ab")
