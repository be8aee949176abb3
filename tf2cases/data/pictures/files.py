"""Picture files as bytes that `tf2cases.data.pictures.graph` decodes; others become PNG first."""

import io
import struct
import warnings

import numpy as np
from PIL import Image, ImageOps

from tf2cases.errors import UsageError

MAX_PIXELS = 50_000_000  # as in tf2cases.data.pictures.graph, which must not be needed to read a file
ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm")  # by which folders are searched
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # some others start external programs
_ACCEPTED = "a PNG, JPEG, GIF, BMP, WebP, TIFF or PPM picture"
_ORIENTATION = 0x0112


def read(path):
    """Reads one picture file, whatever its name says, checks it and gives bytes that a served model reads right.

    PNG, JPEG, GIF and BMP files come back as they are, unless the graph's decoder would show them differently:
    turned by an EXIF orientation, or a BMP with a palette or compression. Those and the other formats become a PNG.

    Args:
      path: the file.

    Returns:
      bytes, PNG, JPEG, GIF or BMP.

    Raises:
      UsageError: missing, empty, not a picture, cut short or damaged, several frames, or more than 50 megapixels
        (known from the header, before anything is unpacked).
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}), but must be {_ACCEPTED}.") from error
    if not data:
        raise UsageError(f"{path}: the file is empty, but must be {_ACCEPTED}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters becomes an error below
        picture = _open(path, data)
        try:
            picture.load()
            frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
            if frames == 1:
                return data if _graph_reads(picture, data) else _as_png(path, picture)
        except UsageError:
            raise
        except Exception as error:  # Pillow raises nearly anything for damaged files
            raise UsageError(
                f"{path}: the picture is cut short or damaged ({str(error).rstrip('.')}), but must be whole."
            ) from error
    raise UsageError(f"{path}: the picture has {frames} frames, but must have one.")


def _open(path, data):
    """The picture with its header read, and refused for its size."""
    too_large = "but at most 50 megapixels are accepted."
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise UsageError(f"{path}: the picture is too large ({error}), {too_large}") from error
    except Exception as error:
        raise UsageError(f"{path}: this is not a picture, but must be {_ACCEPTED}.") from error
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise UsageError(f"{path}: the picture has {width} x {height} pixels, {too_large}")
    return picture


def _graph_reads(picture, data):
    if picture.format not in ("PNG", "JPEG", "MPO", "GIF", "BMP"):
        return False
    if picture.getexif().get(_ORIENTATION, 1) != 1:
        return False
    if picture.format == "BMP":
        header, bits, compression = struct.unpack_from("<I", data, 14) + struct.unpack_from("<HI", data, 28)
        return header >= 40 and bits in (24, 32) and compression == 0 and picture.mode == "RGB"
    return True


def _as_png(path, picture):
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise UsageError(f"{path}: the picture has 32 bits a channel, but must have 8 or 16.")
        picture = Image.fromarray((values // 257).astype(np.uint8))
    elif picture.mode == "F":
        raise UsageError(f"{path}: the picture has floating-point values, but must have 8 or 16 bits.")
    elif picture.mode == "CMYK":
        picture = picture.convert("RGB")
    buffer = io.BytesIO()
    picture.convert("RGBA").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
