"""One picture to a square, against Pillow and hand calculation."""

import io

import numpy as np
import pytest
from PIL import Image

from tf2cases.data.pictures import options, square
from tf2cases.errors import UsageError

ROWS, COLUMNS = np.mgrid[0:40, 0:57]
RGB = np.stack([ROWS * 6, COLUMNS * 4, (ROWS + COLUMNS) * 2], axis=-1).astype(np.uint8)
COLOUR = Image.fromarray(RGB)
GREY = Image.fromarray(RGB[..., 0])


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def by_hand(picture, left, top, side, size):
    return np.asarray(picture.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.LANCZOS))


def test_largest_centred_square():
    # 57 x 40: 17 columns are too many, 8 of them left of the square.
    np.testing.assert_array_equal(square.decode(encoded(COLOUR), 16), by_hand(COLOUR, 8, 0, 40, 16))
    upright = COLOUR.transpose(Image.Transpose.ROTATE_90)
    np.testing.assert_array_equal(square.decode(encoded(upright), 16), by_hand(upright, 0, 8, 40, 16))


def test_square_of_that_many_pixels():
    np.testing.assert_array_equal(square.decode(encoded(COLOUR), 16, crop=30), by_hand(COLOUR, 13, 5, 30, 16))
    np.testing.assert_array_equal(square.decode(encoded(COLOUR), 40), RGB[:, 8:48])  # nothing to resize


def test_resizing_is_antialiased():
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), [256, 128]))
    assert np.ptp(square.decode(encoded(stripes), 64, channels=1)[8:-8, 8:-8].astype(int)) <= 8


def test_grey_as_colour():
    np.testing.assert_array_equal(square.decode(encoded(GREY), 40), RGB[:, 8:48, :1].repeat(3, -1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_orientation_is_applied(kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    pixels = square.decode(encoded(COLOUR, kind, exif=exif, **options), 40)
    np.testing.assert_allclose(pixels, np.rot90(RGB, -1)[8:48].astype(int), atol=6)


def test_large_jpeg_looks_as_if_decoded_in_full(monkeypatch):
    # Smooth: in noise, what the decoder leaves out when it reduces would be the same but for the noise.
    small = np.random.RandomState(0).randint(0, 256, [9, 12, 3]).astype(np.uint8)
    picture = Image.fromarray(small).resize((1200, 900), Image.Resampling.BICUBIC)
    data = encoded(picture, "JPEG", quality=95)
    sizes = []
    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda self, *a, **k: sizes.append(self.size) or resize(self, *a, **k))
    pixels = square.decode(data, 64)
    assert sizes == [(300, 225)]  # a quarter: an eighth would be less than twice 64
    full = by_hand(Image.open(io.BytesIO(data)), 150, 0, 900, 64)
    assert np.abs(pixels.astype(int) - full).mean() < 1
    pixels = square.decode(data, 64, crop=301)
    full = by_hand(Image.open(io.BytesIO(data)), 449, 299, 301, 64)
    assert np.abs(pixels.astype(int) - full).mean() < 1
    assert sizes[2] == (600, 450)


def test_a_phones_several_pictures_in_one_jpeg_are_as_the_first_alone():
    picture = COLOUR.resize((1140, 800))
    together = encoded(picture, "MPO", save_all=True, append_images=[picture.rotate(180)])
    np.testing.assert_array_equal(square.decode(together, 16), square.decode(encoded(picture, "JPEG"), 16))


def test_the_name_says_nothing_the_content_everything():
    assert square.decode(encoded(COLOUR, "WEBP", lossless=True), 8).shape == (8, 8, 3)
    assert square.decode(encoded(COLOUR, "PPM"), 8).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (encoded(COLOUR, "JPEG")[:-100], "cut short"),
        (encoded(COLOUR, "GIF", save_all=True, append_images=[COLOUR.rotate(90)]), "2 frames instead of one"),
        (encoded(Image.fromarray(np.full([4, 4], 70000, np.int32)), "TIFF"), "32 bits"),
    ],
)
def test_refuses_what_the_decoder_refuses(data, message):
    with pytest.raises(ValueError, match=message):
        square.decode(data, 8)


def test_refuses_a_crop_larger_than_the_picture():
    with pytest.raises(square.TooSmall, match="has 57 x 40 pixels: expected at most 40"):
        square.decode(encoded(COLOUR), 8, crop=41)


def test_crop_as_a_flag_gives_it():
    assert [options.parse_crop(crop) for crop in ("none", "108")] == [None, 108]
    for crop in ("", "0", "-1", "centre", "10.5"):
        with pytest.raises(UsageError, match=rf"--crop is {crop!r}, but must be none or a number of pixels"):
            options.parse_crop(crop)


def test_checks_the_size():
    with pytest.raises(UsageError, match="--size is 2, but must be from 4 to 1024"):
        options.check_size(2)
