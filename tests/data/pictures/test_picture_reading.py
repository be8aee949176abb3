"""Picture files as people have them, against Pillow's own reading."""

import io
import os
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from tf2cases.data.pictures import files as picture_files
from tf2cases.data.pictures import graph as image_bytes
from tf2cases.errors import UsageError

ROWS, COLUMNS = np.mgrid[0:40, 0:50]
RGB = np.stack([ROWS * 6, COLUMNS * 5, (ROWS + COLUMNS) * 2], axis=-1).astype(np.uint8)
RGBA = np.concatenate([RGB, (COLUMNS * 5)[..., None].astype(np.uint8)], axis=-1)
COLOUR, ALPHA, GREY = Image.fromarray(RGB), Image.fromarray(RGBA), Image.fromarray(RGB[..., 0])


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
    "turned.jpg": (COLOUR, "JPEG", {"exif": turned()}, False),
    "mirrored_grey.jpg": (GREY, "JPEG", {"exif": turned(5)}, False),
    "one_frame.gif": (COLOUR.quantize(64), "GIF", {"transparency": 3}, True),
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
    return image_bytes.composite_on_white(image_bytes.decode(data)).numpy()


@pytest.mark.parametrize("name", SAVED)
def test_accepted_files_are_read_as_pillow_shows_them(tmp_path, name):
    picture, kind, options, unchanged = SAVED[name]
    path = tmp_path / name
    picture.save(path, kind, **options)
    data = picture_files.read(path)
    assert (data == path.read_bytes()) is unchanged
    expected = on_white(ImageOps.exif_transpose(Image.open(path)))
    result = decoded(data)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=2 / 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_pictures_keep_their_brightness(tmp_path, kind):
    values = RGB[..., 0].astype(np.uint16) * 257
    path = tmp_path / "deep"
    Image.fromarray(values).save(path, kind)
    result = decoded(picture_files.read(path))
    np.testing.assert_allclose(result[..., 1] * 255, RGB[..., 0], atol=2)


def test_the_first_picture_of_a_multi_picture_jpeg_is_taken(tmp_path):
    path = tmp_path / "phone.jpg"
    COLOUR.save(path, "MPO", save_all=True, append_images=[GREY.convert("RGB")])
    assert Image.open(path).n_frames == 2
    np.testing.assert_allclose(decoded(picture_files.read(path)), on_white(Image.open(path)), atol=2 / 255)


def refuse(path, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        picture_files.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path):
    refuse(tmp_path / "none.png", r"cannot be read \(No such file or directory\), but must be a PNG, ")
    refuse(tmp_path, r"cannot be read \(Is a directory\)")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "secret.png"
    COLOUR.save(path)
    path.chmod(0)
    refuse(path, "Permission denied")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the file is empty"),
        (b"<html>quota exceeded</html>", "this is not a picture, but must be a PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "this is not a picture"),
        (b"\x89PNG\r\n\x1a\n", "this is not a picture"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, data, sentence):
    path = tmp_path / "digit.png"
    path.write_bytes(data)
    refuse(path, sentence)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_truncated_pictures_are_refused(tmp_path, kind, part):
    buffer = io.BytesIO()
    COLOUR.quantize(64).convert("P" if kind == "GIF" else "RGB").save(buffer, kind)
    path = tmp_path / "cut"
    path.write_bytes(buffer.getvalue()[: int(part * len(buffer.getvalue()))])
    refuse(path, "is cut short or damaged|is not a picture")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused(tmp_path, kind):
    path = tmp_path / "moving"
    COLOUR.save(path, kind, save_all=True, append_images=[COLOUR.rotate(90), COLOUR.rotate(180)])
    refuse(path, "the picture has 3 frames, but must have one")


def huge_png(side):
    """A valid black PNG of side x side pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(side // 8 + 1)) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7100, 12000, 20000])
def test_more_than_50_megapixels_are_refused_from_the_header(tmp_path, side):
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png(side))
    assert path.stat().st_size < 60_000
    start = time.monotonic()
    refuse(path, "at most 50 megapixels are accepted")
    assert time.monotonic() - start < 1  # unpacking takes longer


def test_pixels_that_are_not_colours_are_refused(tmp_path):
    path = tmp_path / "heights.tiff"
    Image.fromarray(RGB[..., 0].astype(np.float32)).save(path)
    refuse(path, "floating-point values, but must have 8 or 16 bits")
    Image.fromarray(RGB[..., 0].astype(np.int32) * 70_000).save(path)
    refuse(path, "32 bits a channel, but must have 8 or 16")
