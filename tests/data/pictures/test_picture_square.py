"""One picture to a square, against Pillow and hand calculation."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tf2cases.data.pictures import square as picture_square
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
    np.testing.assert_array_equal(picture_square.decode(encoded(COLOUR), 16), by_hand(COLOUR, 8, 0, 40, 16))
    upright = COLOUR.transpose(Image.Transpose.ROTATE_90)
    np.testing.assert_array_equal(picture_square.decode(encoded(upright), 16), by_hand(upright, 0, 8, 40, 16))


def test_square_of_that_many_pixels():
    np.testing.assert_array_equal(picture_square.decode(encoded(COLOUR), 16, crop=30), by_hand(COLOUR, 13, 5, 30, 16))
    np.testing.assert_array_equal(picture_square.decode(encoded(COLOUR), 40), RGB[:, 8:48])  # nothing to resize


def test_resizing_is_antialiased():
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), [256, 128]))
    assert np.ptp(picture_square.decode(encoded(stripes), 64, channels=1)[8:-8, 8:-8].astype(int)) <= 8


def test_grey_has_the_weights_of_bt_601():
    square = picture_square.decode(encoded(COLOUR), 40, channels=1)
    assert square.shape == (40, 40, 1)
    np.testing.assert_allclose(square[..., 0], RGB[:, 8:48] @ [0.299, 0.587, 0.114], atol=0.51)


def test_grey_as_colour():
    np.testing.assert_array_equal(picture_square.decode(encoded(GREY), 40), RGB[:, 8:48, :1].repeat(3, -1))


def test_alpha_is_laid_on_white():
    rgba = np.dstack([RGB, np.full([40, 57], 51, np.uint8)])  # a fifth
    expected = 255 - (255 - RGB[:, 8:48].astype(float)) / 5
    np.testing.assert_allclose(picture_square.decode(encoded(Image.fromarray(rgba)), 40), expected, atol=1)
    clear = np.dstack([RGB, np.zeros([40, 57], np.uint8)])
    assert (picture_square.decode(encoded(Image.fromarray(clear)), 40) == 255).all()


def test_palette_with_a_transparent_colour():
    indices = np.zeros([10, 10], np.uint8)
    indices[:, 5:] = 1
    picture = Image.fromarray(indices, "P")
    picture.putpalette([200, 100, 50, 0, 0, 255])
    square = picture_square.decode(encoded(picture, transparency=1), 10)
    np.testing.assert_array_equal(square[0, 0], [200, 100, 50])
    np.testing.assert_array_equal(square[0, 9], [255, 255, 255])


def test_cmyk():
    data = encoded(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG", quality=95)
    np.testing.assert_allclose(picture_square.decode(data, 20)[10, 10], [255, 0, 0], atol=3)


def test_16_bits_are_scaled():
    values = (ROWS * 1600).astype(np.uint16)
    square = picture_square.decode(encoded(Image.fromarray(values)), 40, channels=1)
    np.testing.assert_allclose(square[..., 0], values[:, 8:48] / 257, atol=1)


def test_first_of_several_frames():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(picture_square.decode(data, 20)[10, 10], [255, 0, 0])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_orientation_is_applied(kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    square = picture_square.decode(encoded(COLOUR, kind, exif=exif, **options), 40)
    np.testing.assert_allclose(square, np.rot90(RGB, -1)[8:48].astype(int), atol=6)


def test_large_jpeg_looks_as_if_decoded_in_full(monkeypatch):
    # Smooth: in noise, what the decoder leaves out when it reduces would be the same but for the noise.
    small = np.random.RandomState(0).randint(0, 256, [9, 12, 3]).astype(np.uint8)
    picture = Image.fromarray(small).resize((1200, 900), Image.Resampling.BICUBIC)
    data = encoded(picture, "JPEG", quality=95)
    sizes = []
    resize = Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda self, *a, **k: sizes.append(self.size) or resize(self, *a, **k))
    square = picture_square.decode(data, 64)
    assert sizes == [(300, 225)]  # a quarter: an eighth would be less than twice 64
    full = by_hand(Image.open(io.BytesIO(data)), 150, 0, 900, 64)
    assert np.abs(square.astype(int) - full).mean() < 1
    square = picture_square.decode(data, 64, crop=301)
    full = by_hand(Image.open(io.BytesIO(data)), 449, 299, 301, 64)
    assert np.abs(square.astype(int) - full).mean() < 1
    assert sizes[2] == (600, 450)


def test_the_name_says_nothing_the_content_everything():
    assert picture_square.decode(encoded(COLOUR, "WEBP", lossless=True), 8).shape == (8, 8, 3)
    assert picture_square.decode(encoded(COLOUR, "PPM"), 8).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"<html>", "not a picture"),
        (encoded(COLOUR)[:-40], "truncated|broken|incomplete"),
        (encoded(COLOUR, "JPEG")[:-100], "truncated"),
        (encoded(Image.fromarray(np.ones([4, 4], np.float32)), "TIFF"), "floating-point"),
        (encoded(Image.fromarray(np.full([4, 4], 70000, np.int32)), "TIFF"), "32 bits"),
    ],
)
def test_refuses_what_is_not_a_whole_picture(data, message):
    with pytest.raises(ValueError, match=message):
        picture_square.decode(data, 8)


def test_refuses_too_many_pixels_by_the_header():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 10000, 5001, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(ValueError, match="10000 x 5001 pixels are more than 50 megapixels"):
        picture_square.decode(bomb, 8)


def test_refuses_a_crop_larger_than_the_picture():
    with pytest.raises(UsageError, match="has 57 x 40 pixels: expected at most 40"):
        picture_square.decode(encoded(COLOUR), 8, crop=41)


def test_crop_as_a_flag_gives_it():
    assert [picture_square.parse_crop(c) for c in (None, "none", "", 108, "108")] == [None, None, None, 108, 108]
    for crop in ("0", -1, "centre", "10.5"):
        with pytest.raises(UsageError, match=rf"--crop is {crop!r}, but must be none or a number of pixels"):
            picture_square.parse_crop(crop)


def test_checks_size_and_channels():
    with pytest.raises(UsageError, match="--size is 2, but must be from 4 to 1024"):
        picture_square.check(2, 3)
    with pytest.raises(UsageError, match="--channels is 4, but must be 1 or 3"):
        picture_square.check(64, 4)
