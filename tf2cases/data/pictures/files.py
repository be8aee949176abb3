"""Reading picture files by path: decoded here, or as bytes for a model that decodes them itself."""

import contextlib
import io
import os
import struct
from collections.abc import Iterator

from PIL import Image

from tf2cases import files
from tf2cases.data.pictures import decoding
from tf2cases.data.pictures.members import read_file
from tf2cases.errors import UsageError


def decode(path: str | os.PathLike, mode: str) -> Image.Image:
    """Decodes a picture file as `decoding.decode` does.

    Raises:
      UsageError: it cannot be read, or is not an accepted picture.
    """
    with _named(path):
        return decoding.decode(read_file(path), mode)


def read(path: str | os.PathLike) -> bytes:
    """Reads and checks a picture file, and returns bytes that `graph.decode` decodes as `decode` would.

    JPEG files are returned unchanged. So are PNG and BMP files, unless the graph would decode them differently or
    refuse them: those with an EXIF orientation, 16-bit grey, a BMP palette or BMP compression, and large files of some
    kinds. These and all other formats are converted to PNG.

    Returns:
      A PNG, JPEG or BMP file.

    Raises:
      UsageError: as `decode`.
    """
    with _named(path):
        data = read_file(path)
        image = decoding.opened(data)
        decoding.load(image)
        if _graph_reads(image, data):
            return data
        buffer = io.BytesIO()
        decoding.converted(image, "RGBA").save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


def _graph_reads(image: Image.Image, data: bytes) -> bool:
    if image.format in decoding.JPEG:
        return True
    if decoding.orientation(image) != 1 or image.mode.startswith("I"):
        return False
    is_large = image.width * image.height > decoding.LARGE
    if is_large and (image.format == "BMP" or (image.format == "PNG" and data[24] < 8)):
        return False
    if image.format == "BMP":
        header, bits, compression = struct.unpack_from("<I", data, 14) + struct.unpack_from("<HI", data, 28)
        return header >= 40 and bits in (24, 32) and compression == 0 and image.mode == "RGB"
    return image.format == "PNG"


@contextlib.contextmanager
def _named(path: str | os.PathLike) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({files.reason(error)}); expected {decoding.ACCEPTED}.") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}; expected {decoding.ACCEPTED}.") from error
