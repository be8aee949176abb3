"""The orientation that the graph reads from JPEG files, against Pillow."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from tf2cases.data.pictures import exif, graph

PIXELS = np.random.default_rng(0).integers(0, 256, [6, 9, 3], np.uint8)
PHOTO = Image.fromarray(PIXELS).resize([72, 48])


def tiff(order, *entries, offset=8):
    """EXIF data with entries (tag, type, value), in a byte order of "<" or ">"."""
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, offset) + b"\0" * (offset - 8)
    packed = [struct.pack(order + "HHIHH", tag, kind, 1, value, 0) for tag, kind, value in entries]
    return head + struct.pack(order + "H", len(entries)) + b"".join(packed) + struct.pack(order + "I", 0)


def jpeg(data):
    file = io.BytesIO()
    PHOTO.save(file, "JPEG", exif=b"Exif\0\0" + data)
    return file.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_decoded_upright_as_pillow_turns_them(orientation, order):
    data = jpeg(tiff(order, (0x010F, 3, 7), (0x0112, 3, orientation)))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    found = graph.decode(data)[..., :3]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2)


def test_entries_may_lie_anywhere():
    assert exif.orientation(jpeg(tiff(">", (0x0112, 3, 6), offset=90))) == 6


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"MM\0*\0\0\xff\xff",
        tiff("<", (0x0112, 3, 6))[:12],
        tiff("<", (0x0112, 3, 0)),
        tiff("<", (0x0112, 3, 9)),
        tiff("<", (0x0112, 2, 6)),
        tiff("<", (0x0111, 3, 6)),
        np.random.default_rng(1).bytes(300),
    ],
)
def test_photos_with_damaged_orientations_are_taken_as_they_are(data):
    assert exif.orientation(jpeg(data)) == 1


def test_files_without_exif_are_upright():
    file = io.BytesIO()
    PHOTO.save(file, "JPEG")
    assert exif.orientation(file.getvalue()) == exif.orientation(b"") == 1


@pytest.mark.parametrize(("enough", "side"), [(None, 800), (801, 800), (400, 400), (201, 400), (200, 200), (1, 100)])
def test_jpegs_are_decoded_at_the_smallest_size_that_is_enough(enough, side):
    page = Image.fromarray(PIXELS).resize([800, 400], Image.Resampling.BICUBIC)
    file = io.BytesIO()
    page.save(file, "JPEG", quality=95, subsampling=0)
    found = graph.decode(file.getvalue(), graph.Decoding(enough=enough))
    assert found.shape == [side // 2, side, 4]
    expected = page.resize([side, side // 2], Image.Resampling.BOX)
    assert np.abs(found.numpy()[..., :3] - np.asarray(expected, np.float32)).mean() < 3
