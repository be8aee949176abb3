"""Decoding inside the graph, against Pillow."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2cases.data.pictures import decoding, graph

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
        "bmp": encode(COLOUR, "BMP"),
        "bmp_32_bit": encode(ALPHA, "BMP"),
    }


KINDS = picture_kinds()


def on_white(picture):
    """Pillow's compositing: float [H, W, 3] in [0, 1]."""
    page = Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture.convert("RGBA"))
    return np.asarray(page.convert("RGB"), np.float64) / 255


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def traced(data):
    return graph.decode_batch(
        data, lambda rgba: graph.composite_on_white(tf.ensure_shape(rgba, [HEIGHT, WIDTH, 4])), [HEIGHT, WIDTH, 3]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_looks_as_in_pillow_eagerly_and_traced(kind):
    picture = Image.open(io.BytesIO(KINDS[kind]))
    expected = on_white(picture)
    rgba = graph.decode(KINDS[kind])
    assert rgba.dtype == tf.uint8
    assert rgba.shape == [HEIGHT, WIDTH, 4]
    np.testing.assert_allclose(graph.composite_on_white(rgba), expected, atol=2 / 255)
    np.testing.assert_allclose(traced([KINDS["png_rgb"], KINDS[kind]])[1], expected, atol=2 / 255)


def test_a_16_bit_png_keeps_its_high_byte():
    values = RGB[..., 0].astype(np.uint16) * 256 + 77
    rgba = graph.decode(encode(Image.fromarray(values), "PNG"))
    np.testing.assert_array_equal(rgba[..., 0], RGB[..., 0])
    np.testing.assert_array_equal(rgba[..., 3], 255)


def test_alpha_is_straight():
    rgba = graph.decode(KINDS["png_rgba"])
    np.testing.assert_array_equal(rgba, RGBA)


def test_grey_is_pillows():
    expected = np.asarray(COLOUR.convert("L"), np.float64)
    grey = graph.to_grey(graph.composite_on_white(graph.decode(KINDS["png_rgb"])))
    np.testing.assert_allclose(grey[..., 0] * 255, expected, atol=1)


def test_compositing_takes_floats_in_0_1():
    # 0.25 * 0.5 + 1 - 0.25 = 0.875
    np.testing.assert_allclose(graph.composite_on_white(tf.constant([[[0.5, 0.0, 1.0, 0.25]]])), [[[0.875, 0.75, 1.0]]])


def oversized():
    bmp = bytearray(KINDS["bmp"])
    struct.pack_into("<ii", bmp, 18, 20000, -20000)
    jpeg = bytearray(KINDS["jpeg_rgb"])
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, 20000, 20000)
    return {"png": png_header(20000, 20000), "bmp": bmp, "jpeg": jpeg}


@pytest.mark.parametrize("kind", ["png", "bmp", "jpeg"])
def test_more_than_50_megapixels_are_refused(kind):
    data = bytes(oversized()[kind])
    most = 25 if kind == "bmp" else 50
    sentence = rf"The picture has 20000 x -?20000 pixels, but at most {most} megapixels are accepted\."
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        graph.decode(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        traced([data])


@pytest.mark.parametrize("size", [(1 << 31, 1), (1 << 30, 4), (0, 5)])
def test_absurd_sizes_are_refused(size):
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        graph.decode(png_header(*size))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not a PNG, JPEG or BMP picture"),
        (b"not a picture at all", "not a PNG, JPEG or BMP picture"),
        (encode(COLOUR.quantize(64), "GIF"), "not a PNG, JPEG or BMP picture"),
        (encode(COLOUR, "WEBP"), "not a PNG, JPEG or BMP picture"),
        (encode(COLOUR, "TIFF"), "not a PNG, JPEG or BMP picture"),
        (encode(GREY, "BMP"), "must be uncompressed, with 24 or 32 bits"),
        (encode(GREY.convert("1"), "BMP"), "must be uncompressed, with 24 or 32 bits"),
        (KINDS["png_rgb"][:60], "Invalid PNG"),
        (KINDS["png_rgb"][:12], "no pixels|Invalid PNG"),
        (KINDS["jpeg_rgb"][:700], "Invalid JPEG|jpeg"),
        (KINDS["jpeg_rgb"][:20], "Invalid JPEG"),
        (KINDS["bmp"][:800], "Input size should match"),
    ],
)
def test_what_cannot_be_decoded_is_refused(data, sentence):
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        graph.decode(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        traced([KINDS["png_rgb"], data])


@pytest.mark.parametrize("kind", ["png", "bmp", "jpeg"])
def test_a_smaller_limit_can_be_set(kind):
    sentence = r"The picture has 20000 x -?20000 pixels, but at most 16 megapixels are accepted\."
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        graph.decode(bytes(oversized()[kind]), graph.Decoding(graph.SMALL))


def test_a_jpeg_of_a_thousand_scans_is_refused_here_and_in_the_graph():
    data = encode(COLOUR, "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    for more, accepted in ((40, True), (1000, False)):
        padded = data[:-2] + scan * more + data[-2:]
        if accepted:
            assert graph.decode(padded).shape == (HEIGHT, WIDTH, 4)
            assert decoding.decode(padded, "RGB").size == (WIDTH, HEIGHT)
        else:
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"The picture has more than 64 scans\."):
                graph.decode(padded)
            with pytest.raises(ValueError, match="the picture has more than 64 scans"):
                decoding.decode(padded, "RGB")


def test_a_large_jpeg_is_halved(monkeypatch):
    monkeypatch.setattr(graph, "LARGE", HEIGHT * WIDTH - 1)
    found = graph.decode(encode(COLOUR, "JPEG", quality=95)).numpy()
    means = RGB.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(found[..., :3], means, atol=8)


def test_large_pictures_are_reduced_to_means_and_those_with_transparency_to_some_pixels(monkeypatch):
    monkeypatch.setattr(graph, "_REDUCED", HEIGHT * WIDTH // 4)
    opaque = np.dstack([RGB, np.full([HEIGHT, WIDTH], 255, np.uint8)])
    means = RGB.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(graph.reduced(opaque).numpy()[..., :3], means, atol=0.51)
    np.testing.assert_array_equal(graph.reduced(RGBA).numpy(), RGBA[::2, ::2])
    monkeypatch.setattr(graph, "_REDUCED", HEIGHT * WIDTH)
    np.testing.assert_array_equal(graph.reduced(RGBA).numpy(), RGBA)


def test_a_large_picture_takes_less_than_300_mb(tmp_path):
    Image.fromarray(np.zeros([3900, 4000, 3], np.uint8)).save(tmp_path / "a.png", compress_level=1)
    program = f"""
import resource, tensorflow as tf
from tf2cases.data.pictures import decoding, graph
def small(rgba):
    return tf.image.resize(graph.composite_on_white(graph.reduced(rgba)), [28, 28], antialias=True)
decode = tf.function(lambda data: graph.decode_batch(data, small, [28, 28, 3], graph.Decoding(graph.SMALL)))
decode(tf.constant([{KINDS["png_rgb"]!r}]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode(tf.constant([open({str(tmp_path / "a.png")!r}, "rb").read()]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert int(done.stdout) < 300_000  # KiB
