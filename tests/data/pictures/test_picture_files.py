"""Picture files as people have them, as the graph decodes what `read` gives, against Pillow's own reading."""

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageOps
from png_files import chunk, png

from tf2cases.data.pictures import decoding, files, folder, graph
from tf2cases.errors import UsageError

ROWS, COLUMNS = np.mgrid[0:40, 0:50]
RGB = np.stack([ROWS * 6, COLUMNS * 5, (ROWS + COLUMNS) * 2], axis=-1).astype(np.uint8)
RGBA = np.concatenate([RGB, (COLUMNS * 5)[..., None].astype(np.uint8)], axis=-1)
COLOUR, ALPHA, GREY = Image.fromarray(RGB), Image.fromarray(RGBA), Image.fromarray(RGB[..., 0])


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


FRAMES = encoded(COLOUR, "GIF", save_all=True, append_images=[COLOUR.rotate(90)])


def turned(orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


SAVED = {  # name: (picture, format, options, whether the bytes stay as they are)
    "rgba.png": (ALPHA, "PNG", {}, True),
    "palette.png": (COLOUR.quantize(64), "PNG", {"transparency": 3}, True),
    "1_bit.png": (GREY.convert("1"), "PNG", {}, True),
    "turned.png": (COLOUR, "PNG", {"exif": turned()}, False),
    "jpeg_called.png": (COLOUR, "JPEG", {}, True),
    "grey.jpg": (GREY, "JPEG", {}, True),
    "cmyk.jpg": (COLOUR.convert("CMYK"), "JPEG", {}, True),
    "upright.jpg": (COLOUR, "JPEG", {"exif": turned(1)}, True),
    "turned.jpg": (COLOUR, "JPEG", {"exif": turned()}, True),
    "mirrored_grey.jpg": (GREY, "JPEG", {"exif": turned(5)}, True),
    "one_frame.gif": (COLOUR.quantize(64), "GIF", {"transparency": 3}, False),
    "turned_palette.gif": (COLOUR.quantize(64), "GIF", {}, False),
    "colour.bmp": (COLOUR, "BMP", {}, True),
    "32_bit.bmp": (ALPHA, "BMP", {}, True),
    "palette.bmp": (COLOUR.quantize(64), "BMP", {}, False),
    "grey.bmp": (GREY, "BMP", {}, False),
    "1_bit.bmp": (GREY.convert("1"), "BMP", {}, False),
    "lossless.webp": (ALPHA, "WEBP", {"lossless": True, "exact": True}, False),
    "alpha.tiff": (ALPHA, "TIFF", {}, False),
    "cmyk.tiff": (COLOUR.convert("CMYK"), "TIFF", {"compression": "tiff_lzw"}, False),
    "colour.ppm": (COLOUR, "PPM", {}, False),
}


def on_white(picture):
    page = Image.new("RGBA", picture.size, "white")
    if picture.mode == "CMYK":
        picture = picture.convert("RGB")
    page.alpha_composite(picture.convert("RGBA"))
    return np.asarray(page.convert("RGB"), np.float64) / 255


def decoded(data):
    return graph.composite_on_white(graph.decode(data)).numpy()


@pytest.mark.parametrize("name", SAVED)
def test_accepted_files_are_read_as_pillow_shows_them(tmp_path, name):
    picture, kind, options, unchanged = SAVED[name]
    path = tmp_path / name
    picture.save(path, kind, **options)
    data = files.read(path)
    assert (data == path.read_bytes()) is unchanged
    expected = on_white(ImageOps.exif_transpose(Image.open(path)))
    result = decoded(data)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=2 / 255)


@pytest.mark.parametrize("name", SAVED)
def test_what_is_decoded_here_is_what_the_graph_decodes(tmp_path, name):
    picture, kind, options, _ = SAVED[name]
    path = tmp_path / name
    picture.save(path, kind, **options)
    here = np.asarray(files.decode(path, "RGB"), np.float64) / 255
    np.testing.assert_allclose(decoded(files.read(path)), here, atol=2 / 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_the_same_everywhere(tmp_path, kind):
    values = (RGB[..., 0].astype(np.uint16) * 257 + 200).clip(0, 65535)  # their high byte is not a 257th of all
    path = tmp_path / "deep"
    Image.fromarray(values).save(path, kind)
    np.testing.assert_array_equal(graph.decode(files.read(path))[..., 1], values // 257)
    np.testing.assert_array_equal(files.decode(path, "L"), values // 257)


def test_the_first_picture_of_a_multi_picture_jpeg_is_taken(tmp_path):
    path = tmp_path / "phone.jpg"
    COLOUR.save(path, "MPO", save_all=True, append_images=[GREY.convert("RGB")])
    assert files.read(path) == path.read_bytes()
    np.testing.assert_allclose(decoded(files.read(path)), on_white(Image.open(path)), atol=2 / 255)


def refuse(path, sentence):
    for function in (files.read, lambda path: files.decode(path, "L")):
        with pytest.raises(UsageError, match=sentence) as caught:
            function(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path):
    refuse(tmp_path / "none.png", r"cannot be read \(No such file or directory\); expected a PNG, ")
    refuse(tmp_path, r"cannot be read \(Is a directory\)")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "secret.png"
    COLOUR.save(path)
    path.chmod(0)
    refuse(path, "Permission denied")


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    COLOUR.save(tmp_path / "a.bmp")
    monkeypatch.setattr(folder, "MAX_BYTES", 2**12)
    refuse(tmp_path / "a.bmp", r"cannot be read \(more than 0 MiB\)")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the file is empty; expected a PNG, JPEG"),
        (b"<html>quota exceeded</html>", "this is not a picture; expected a PNG, JPEG"),
        (FRAMES, "the picture has 2 frames instead of one; expected a PNG, .* with one picture"),
        (encoded(COLOUR)[:-40], r"the picture is cut short or damaged \(.*\); expected"),
        (encoded(Image.fromarray(RGB[..., 0].astype(np.float32)), "TIFF"), "has floating-point values; expected"),
    ],
)
def test_what_is_refused_is_named(tmp_path, data, sentence):
    path = tmp_path / "digit.png"
    path.write_bytes(data)
    refuse(path, sentence)


# (colour type, bits a channel, channels)
KINDS = [(0, 1, 1), (0, 2, 1), (0, 4, 1), (0, 8, 1), (0, 16, 1), (2, 8, 3), (2, 16, 3), (3, 4, 1), (3, 8, 1)]


@pytest.mark.parametrize(("colour_type", "depth", "channels"), KINDS)
def test_a_transparent_colour_is_transparent_in_training_and_in_serving(colour_type, depth, channels, tmp_path):
    most = 2**depth - 1
    samples = np.random.default_rng(0).integers(0, most + 1, [8, 9, channels])
    key = samples[2, 3] = np.minimum([most, most // 2, 2][:channels], most) if colour_type != 3 else 1
    samples[3:5, 1:4] = key
    samples[5] = key
    samples[5, :, 0] ^= 1  # nearly this colour, but opaque
    transparent = (samples == key).all(axis=-1)
    if colour_type == 3:
        before = chunk(b"PLTE", np.arange(3 * (most + 1)).astype(np.uint8).tobytes()) + chunk(b"tRNS", b"\xff\0")
    else:
        before = chunk(b"tRNS", np.broadcast_to(key, [channels]).astype(">u2").tobytes())
    data = png(colour_type, depth, samples, before)
    (tmp_path / "a.png").write_bytes(data)
    for alpha in (np.asarray(decoding.decode(data, "RGBA")), graph.decode(files.read(tmp_path / "a.png")).numpy()):
        np.testing.assert_array_equal(alpha[..., 3], np.where(transparent, 0, 255))
    here = np.asarray(decoding.decode(data, "RGB"))
    assert (here[transparent] == 255).all()
    np.testing.assert_allclose(here / 255, decoded(data), atol=1.01 / 255)
