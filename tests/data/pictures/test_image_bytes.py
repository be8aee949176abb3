"""Decoding inside the graph, against Pillow."""

import gzip
import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2cases.data.pictures import graph as image_bytes

HEIGHT, WIDTH = 40, 50
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
RGB = np.stack([ROWS * 6, COLUMNS * 5, (ROWS + COLUMNS) * 2], axis=-1).astype(np.uint8)
RGBA = np.concatenate([RGB, (COLUMNS * 5)[..., None].astype(np.uint8)], axis=-1)
COLOUR, ALPHA, GREY = Image.fromarray(RGB), Image.fromarray(RGBA), Image.fromarray(RGB[..., 0])


def encode(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG of one row's data that claims width x height grey pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1 + min(width, 100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def gif_with_offset_frame():
    """Pillow writes the second frame of this animation as the part that changed; here it stands alone."""
    palette = COLOUR.quantize(64)
    changed = palette.copy()
    changed.paste(5, (10, 12, 30, 33))
    data = encode(palette, "GIF", save_all=True, append_images=[changed], disposal=1)
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    frames = [i for i in range(start, len(data)) if data[i : i + 1] == b","]
    second = next(i for i in reversed(frames) if struct.unpack_from("<HHHH", data, i + 1) == (10, 12, 20, 21))
    return data[:start] + data[second:]


def picture_kinds():
    palette = COLOUR.quantize(64)
    return {
        "png_rgb": encode(COLOUR, "PNG"),
        "png_rgba": encode(ALPHA, "PNG"),
        "png_grey": encode(GREY, "PNG"),
        "png_grey_alpha": encode(ALPHA.convert("LA"), "PNG"),
        "png_grey_key": encode(GREY, "PNG", transparency=int(RGB[3, 3, 0])),
        "png_rgb_key": encode(COLOUR, "PNG", transparency=tuple(int(v) for v in RGB[3, 3])),
        "png_palette": encode(palette, "PNG"),
        "png_palette_alpha": encode(palette, "PNG", transparency=bytes(range(0, 256, 4))),
        "png_1_bit": encode(GREY.convert("1"), "PNG"),
        "png_1_bit_key": encode(GREY.convert("1"), "PNG", transparency=0),
        "png_1_bit_palette": encode(COLOUR.quantize(2), "PNG"),
        "png_2_bit_palette": encode(COLOUR.quantize(4), "PNG"),
        "png_2_bit_palette_alpha": encode(COLOUR.quantize(4), "PNG", transparency=b"\x00\x40\xff\xff"),
        "png_4_bit_palette": encode(COLOUR.quantize(16), "PNG"),
        "png_animated": encode(COLOUR, "PNG", save_all=True, append_images=[COLOUR.rotate(180)]),
        "jpeg_rgb": encode(COLOUR, "JPEG", quality=90),
        "jpeg_grey": encode(GREY, "JPEG"),
        "jpeg_progressive": encode(COLOUR, "JPEG", progressive=True),
        "jpeg_cmyk": encode(COLOUR.convert("CMYK"), "JPEG", quality=95),
        "gif": encode(palette, "GIF"),
        "gif_interlaced": encode(palette, "GIF", interlace=1),
        "gif_transparent": encode(palette, "GIF", transparency=3),
        "gif_animated": encode(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
        "gif_comment": encode(palette, "GIF", comment=b"x" * 300),
        "bmp": encode(COLOUR, "BMP"),
        "bmp_32_bit": encode(ALPHA, "BMP"),
    }


KINDS = picture_kinds()


def test_a_gif_frame_smaller_than_its_canvas_stands_on_transparent_ground():
    # Pillow paints the rest in a colour of the palette; browsers leave it transparent.
    data = gif_with_offset_frame()
    rgba = image_bytes.decode(data).numpy()
    assert rgba.shape == (HEIGHT, WIDTH, 4)
    box = np.s_[12:33, 10:30]
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[box]
    np.testing.assert_array_equal(rgba[box][..., :3], expected)
    np.testing.assert_array_equal(rgba[box][..., 3], 255)
    rgba[box][..., 3] = 0
    np.testing.assert_array_equal(rgba[..., 3], 0)


def on_white(picture):
    """Pillow's compositing: float [H, W, 3] in [0, 1]."""
    page = Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture.convert("RGBA"))
    return np.asarray(page.convert("RGB"), np.float64) / 255


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def traced(data):
    return image_bytes.decode_batch(
        data,
        lambda rgba: image_bytes.composite_on_white(tf.ensure_shape(rgba, [HEIGHT, WIDTH, 4])),
        [HEIGHT, WIDTH, 3],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_looks_as_in_pillow_eagerly_and_traced(kind):
    picture = Image.open(io.BytesIO(KINDS[kind]))
    expected = on_white(picture)
    rgba = image_bytes.decode(KINDS[kind])
    assert rgba.dtype == tf.uint8
    assert rgba.shape == [HEIGHT, WIDTH, 4]
    np.testing.assert_allclose(image_bytes.composite_on_white(rgba), expected, atol=2 / 255)
    np.testing.assert_allclose(traced([KINDS["png_rgb"], KINDS[kind]])[1], expected, atol=2 / 255)


def test_a_16_bit_png_keeps_its_high_byte():
    values = RGB[..., 0].astype(np.uint16) * 256 + 77
    rgba = image_bytes.decode(encode(Image.fromarray(values), "PNG"))
    np.testing.assert_array_equal(rgba[..., 0], RGB[..., 0])
    np.testing.assert_array_equal(rgba[..., 3], 255)


def test_alpha_is_straight():
    rgba = image_bytes.decode(KINDS["png_rgba"])
    np.testing.assert_array_equal(rgba, RGBA)


def test_grey_is_pillows():
    expected = np.asarray(COLOUR.convert("L"), np.float64)
    grey = image_bytes.to_grey(image_bytes.composite_on_white(image_bytes.decode(KINDS["png_rgb"])))
    np.testing.assert_allclose(grey[..., 0] * 255, expected, atol=1)


def test_compositing_takes_floats_in_0_1():
    # 0.25 * 0.5 + 1 - 0.25 = 0.875
    np.testing.assert_allclose(
        image_bytes.composite_on_white(tf.constant([[[0.5, 0.0, 1.0, 0.25]]])),
        [[[0.875, 0.75, 1.0]]],
    )


def oversized():
    bmp = bytearray(KINDS["bmp"])
    struct.pack_into("<ii", bmp, 18, 20000, -20000)
    gif = bytearray(KINDS["gif"])
    struct.pack_into("<HH", gif, 6, 20000, 20000)
    jpeg = bytearray(KINDS["jpeg_rgb"])
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, 20000, 20000)
    return {"png": png_header(20000, 20000), "bmp": bmp, "gif": gif, "jpeg": jpeg}


@pytest.mark.parametrize("kind", ["png", "bmp", "gif", "jpeg"])
def test_more_than_50_megapixels_are_refused(kind):
    data = bytes(oversized()[kind])
    sentence = r"The picture has 20000 x -?20000 pixels, but at most 50 megapixels are accepted\."
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        image_bytes.decode(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        traced([data])


@pytest.mark.parametrize("size", [(1 << 31, 1), (1 << 30, 4), (0, 5)])
def test_absurd_sizes_are_refused(size):
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        image_bytes.decode(png_header(*size))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not a PNG, JPEG, GIF or BMP picture"),
        (b"not a picture at all", "not a PNG, JPEG, GIF or BMP picture"),
        (encode(COLOUR, "WEBP"), "not a PNG, JPEG, GIF or BMP picture"),
        (encode(COLOUR, "TIFF"), "not a PNG, JPEG, GIF or BMP picture"),
        (encode(GREY, "BMP"), "only uncompressed ones with 24 or 32 bits"),
        (encode(GREY.convert("1"), "BMP"), "only uncompressed ones with 24 or 32 bits"),
        (KINDS["gif"][:200], "GIF picture is cut short or damaged"),
        (KINDS["gif"][:6], "GIF picture is cut short or damaged"),
        (KINDS["gif"][:13] + b"," + b"\xff" * 4000, "GIF picture"),
        (KINDS["png_rgb"][:60], "Invalid PNG"),
        (KINDS["png_rgb"][:12], "no pixels|Invalid PNG"),
        (KINDS["jpeg_rgb"][:700], "Invalid JPEG|jpeg"),
        (KINDS["jpeg_rgb"][:20], "Invalid JPEG"),
        (KINDS["bmp"][:800], "Input size should match"),
    ],
)
def test_what_cannot_be_decoded_is_refused(data, sentence):
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        image_bytes.decode(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        traced([KINDS["png_rgb"], data])


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
        result = image_bytes.to_digit(rgba_of(grey))
        np.testing.assert_allclose(result[..., 0], digit / 255.0, atol=1 / 255)


def test_ink_on_transparent_ground_is_dark_ink_on_white():
    digit = stroke()
    ink = np.concatenate([np.zeros([28, 28, 3], np.uint8), digit[..., None]], axis=-1)
    np.testing.assert_allclose(image_bytes.to_digit(ink)[..., 0], digit / 255.0, atol=1 / 255)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(("page", "corner"), [((200, 300), (10, 150)), ((300, 200), (170, 3))])
def test_a_digit_anywhere_on_a_page_lands_in_mnists_box(page, corner, invert):
    large = np.kron(stroke(), np.ones([4, 4], np.uint8))  # 112x112
    sheet = np.zeros(page, np.uint8)
    sheet[corner[0] : corner[0] + 112, corner[1] : corner[1] + 112] = large
    result = image_bytes.to_digit(rgba_of(255 - sheet if invert else sheet)).numpy()[..., 0]
    inked = np.argwhere(result > 0.05)
    assert max(np.ptp(inked, axis=0)) + 1 in (19, 20, 21)
    middle = (np.argwhere(result >= 0) * result.reshape(-1, 1)).sum(0) / result.sum()
    np.testing.assert_allclose(middle, 13.5, atol=0.51)  # MNIST's centre of mass, to the pixel
    assert result.max() > 0.9
    assert result.min() == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 50), (3, 700), (28, 29), (1500, 1100)])
@pytest.mark.parametrize("value", [0, 90, 255])
def test_blank_pictures_of_any_size_give_finite_digits(shape, value):
    result = image_bytes.to_digit(rgba_of(np.full(shape, value, np.uint8))).numpy()
    assert result.shape == (28, 28, 1)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() < 0.36  # 90 / 255 is the darkest blank page
    if value != 90:
        assert result.max() == 0


def test_real_digits_survive_a_page(shared):
    with gzip.open(shared / "data/mnist/t10k-images-idx3-ubyte.gz") as file:
        digits = np.frombuffer(file.read(16 + 784 * 40)[16:], np.uint8).reshape(-1, 28, 28)
    to_digit = tf.function(image_bytes.to_digit, input_signature=[tf.TensorSpec([None, None, 4], tf.uint8)])
    likeness = []
    for digit in digits:
        sheet = np.zeros([180, 260], np.uint8)
        sheet[30:114, 140:224] = np.asarray(Image.fromarray(digit).resize((84, 84), Image.Resampling.BICUBIC))
        result = to_digit(rgba_of(255 - sheet)).numpy()[..., 0]
        shifts = [np.roll(result, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
        likeness.append(max(np.corrcoef(shifted.ravel(), digit.ravel())[0, 1] for shifted in shifts))
    assert np.mean(likeness) > 0.9
