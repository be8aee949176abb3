"""The one decoder: what ordinary pictures look like, and what is refused in the same words everywhere."""

import io
import struct
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps
from png_files import chunk, png

from tf2cases.data.pictures import decoding

# pytest takes away the filter that keeps Pillow quiet.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

ROWS, COLUMNS = np.mgrid[0:40, 0:57]
RGB = np.stack([ROWS * 6, COLUMNS * 4, (ROWS + COLUMNS) * 2], axis=-1).astype(np.uint8)
COLOUR, GREY = Image.fromarray(RGB), Image.fromarray(RGB[..., 0])
DEEP = Image.fromarray((ROWS * 1600 + COLUMNS).astype(np.uint16))


def encoded(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def pixels(data, mode):
    image = decoding.decode(data, mode)
    assert image.mode == mode
    return np.asarray(image)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM"])
def test_plain_colour_pictures_have_the_pixels_that_pillow_reads(kind):
    data = encoded(COLOUR, kind)
    plain = Image.open(io.BytesIO(data)).convert("RGB")
    np.testing.assert_array_equal(pixels(data, "RGB"), plain)
    np.testing.assert_array_equal(pixels(data, "L"), plain.convert("L"))
    np.testing.assert_array_equal(pixels(data, "RGBA"), plain.convert("RGBA"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM"])
def test_plain_grey_pictures_have_the_pixels_that_pillow_reads(kind):
    data = encoded(GREY, kind)
    plain = Image.open(io.BytesIO(data)).convert("L")
    np.testing.assert_array_equal(pixels(data, "L"), plain)
    np.testing.assert_array_equal(pixels(data, "RGB"), plain.convert("RGB"))


def test_palettes_and_cmyk_become_grey_by_way_of_rgb():
    for picture, kind in ((COLOUR.quantize(64), "PNG"), (COLOUR.convert("CMYK"), "TIFF"), (GREY.convert("1"), "PNG")):
        np.testing.assert_array_equal(pixels(encoded(picture, kind), "RGB"), picture.convert("RGB"))
        np.testing.assert_array_equal(pixels(encoded(picture, kind), "L"), picture.convert("RGB").convert("L"))


def test_grey_has_the_weights_of_bt_601():
    np.testing.assert_allclose(pixels(encoded(COLOUR), "L"), RGB @ [0.299, 0.587, 0.114], atol=0.51)


def test_alpha_is_laid_on_white_or_kept():
    rgba = np.dstack([RGB, np.full([40, 57], 51, np.uint8)])  # a fifth
    data = encoded(Image.fromarray(rgba))
    np.testing.assert_allclose(pixels(data, "RGB"), 255 - (255 - RGB.astype(float)) / 5, atol=1)
    np.testing.assert_array_equal(pixels(data, "RGBA"), rgba)
    assert (pixels(encoded(Image.fromarray(np.dstack([RGB, 0 * RGB[..., :1]]))), "L") == 255).all()


@pytest.mark.parametrize(
    ("picture", "transparent"),
    [
        (COLOUR, tuple(map(int, RGB[5, 7]))),
        (GREY, int(RGB[5, 7, 0])),
        (DEEP, int(np.asarray(DEEP)[5, 7])),
        (GREY.convert("1"), 0),
        (COLOUR.quantize(8), 2),
    ],
    ids=["colour", "grey", "16_bit", "1_bit", "palette"],
)
def test_a_transparent_colour_is_laid_on_white(picture, transparent):
    data = encoded(picture, transparency=transparent)
    opaque = pixels(data, "RGBA")[..., 3]
    assert set(np.unique(opaque)) == {0, 255}
    for mode in ("RGB", "L"):
        assert (pixels(data, mode)[opaque == 0] == 255).all()
        np.testing.assert_array_equal(pixels(data, mode)[opaque == 255], pixels(encoded(picture), mode)[opaque == 255])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_16_bits_are_divided_by_257(kind, mode):
    result = pixels(encoded(DEEP, kind), mode)
    expected = np.asarray(DEEP) // 257
    np.testing.assert_array_equal(result if mode == "L" else result[..., 1], expected)


def test_32_bits_are_accepted_if_all_values_fit_into_16():
    fitting = np.asarray(DEEP).astype(np.int32)
    np.testing.assert_array_equal(pixels(encoded(Image.fromarray(fitting), "TIFF"), "L"), fitting // 257)
    for values in (fitting + 1 - fitting.max() + 65535, fitting - fitting.min() - 1):
        with pytest.raises(ValueError, match=r"^the picture has 32 bits a channel$"):
            decoding.decode(encoded(Image.fromarray(values), "TIFF"), "L")


def test_floating_point_values_are_refused():
    with pytest.raises(ValueError, match=r"^the picture has floating-point values$"):
        decoding.decode(encoded(Image.fromarray(RGB[..., 0].astype(np.float32)), "TIFF"), "L")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(kind, orientation):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}.get(kind, {})
    data = encoded(COLOUR, kind, exif=oriented(orientation), **options)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(pixels(data, "RGB"), expected)
    assert expected.size == ((40, 57) if orientation > 4 else (57, 40))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", oriented(99)])
def test_a_damaged_exif_chunk_is_ignored(kind, exif):
    plain = pixels(encoded(COLOUR, kind), "RGB")
    np.testing.assert_array_equal(pixels(encoded(COLOUR, kind, exif=exif), "RGB"), plain)


def broken(kind, data):
    """A chunk with a wrong checksum."""
    return chunk(kind, data)[:-1] + bytes([chunk(kind, data)[-1] ^ 1])


@pytest.mark.parametrize(
    "metadata",
    [
        broken(b"eXIf", oriented(6).tobytes()[6:]),
        broken(b"tEXt", b"key\0text"),
        broken(b"iCCP", b"name\0\0" + zlib.compress(b"profile")),
        broken(b"pHYs", bytes(9)),
        broken(b"prVt", b"of an editor"),
        chunk(b"eXIf", b"no exif"),
        chunk(b"zTXt", b"key\0\x07unknown compression"),
        chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(2**26))),
        chunk(b"iTXt", b"key"),
        chunk(b"iTXt", b"key\0\x01\0\0\0not compressed"),
        chunk(b"iCCP", b""),
        chunk(b"pHYs", b"x"),
        chunk(b"gAMA", b""),
        chunk(b"cHRM", b"x"),
        chunk(b"sRGB", b""),
        chunk(b"tIME", b""),
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_metadata_of_a_png_never_refuse_the_picture(metadata, place):
    data = png(2, 8, RGB, **{place: metadata})
    np.testing.assert_array_equal(pixels(data, "RGB"), RGB)


def test_damage_to_the_pixels_is_no_metadata():
    data = bytearray(png(2, 8, RGB, chunk(b"tEXt", b"key\0text")))
    data[-100] ^= 1
    with pytest.raises(ValueError, match="cut short or damaged"):
        pixels(bytes(data), "RGB")


def test_an_impossible_resolution_in_exif_is_ignored():
    # Two tags of the resolution: its unit, and an empty list of numbers, for which Pillow refuses the whole picture.
    tags = struct.pack(">HHHII", 2, 0x011A, 5, 0, 0) + struct.pack(">HHIHH", 0x0128, 3, 1, 2, 0) + bytes(4)
    data = encoded(COLOUR, "JPEG")
    header = data.index(b"\xff\xe0")
    length = struct.unpack_from(">H", data, header + 2)[0]
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + tags
    chunk = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    changed = data[:header] + chunk + data[header + 2 + length :]
    np.testing.assert_array_equal(pixels(changed, "RGB"), pixels(data, "RGB"))


def test_of_a_phones_several_pictures_in_one_jpeg_the_first_is_taken():
    data = encoded(COLOUR, "MPO", save_all=True, append_images=[GREY.convert("RGB")])
    assert Image.open(io.BytesIO(data)).n_frames == 2
    np.testing.assert_array_equal(pixels(data, "RGB"), pixels(encoded(COLOUR, "JPEG"), "RGB"))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused(kind):
    data = encoded(COLOUR, kind, save_all=True, append_images=[COLOUR.rotate(90), COLOUR.rotate(180)])
    with pytest.raises(ValueError, match=r"^the picture has 3 frames instead of one$"):
        decoding.opened(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"<html>quota exceeded</html>", "this is not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "this is not a picture"),
        (b"\x89PNG\r\n\x1a\n", "this is not a picture"),
        (b"\xff\xd8\xff\xe1", "this is not a picture"),
    ],
)
def test_what_is_no_picture_is_refused(data, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        decoding.decode(data, "RGB")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
@pytest.mark.parametrize("part", [0.5, 0.8])
def test_truncated_pictures_are_refused(kind, part):
    data = encoded(COLOUR.quantize(64) if kind == "GIF" else COLOUR, kind)
    with pytest.raises(ValueError, match=r"^(the picture is cut short or damaged \(.+\)|this is not a picture)$"):
        decoding.decode(data[: int(part * len(data))], "RGB")


def huge_png(side):
    """A valid black PNG of side x side pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(bytes(side // 8 + 1)) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7100, 12000, 20000])
def test_more_than_50_megapixels_are_refused_from_the_header(side):
    data = huge_png(side)
    assert len(data) < 60_000
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"^the picture has .*more than 50 megapixels$"):
        decoding.opened(data)
    assert time.monotonic() - start < 1  # unpacking takes longer


def test_warnings_of_others_are_left_alone_whatever_the_threads():
    # 12,000 x 12,000 pixels make Pillow warn before they are refused.
    data = huge_png(12000)

    def refuse():
        for _ in range(20):
            with pytest.raises(ValueError, match="megapixels"):
                decoding.opened(data)

    filters = list(warnings.filters)
    threads = [threading.Thread(target=refuse) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == filters
