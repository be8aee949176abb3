"""Decoding picture files with Pillow: the formats, limits and rules for all pictures that are read outside a graph."""

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from tf2cases import files

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")  # for some others Pillow starts external programs
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
JPEG = ("JPEG", "MPO")  # phones write MPO: a JPEG file with more pictures after the first; only the first is read
MAX_PIXELS = 50_000_000  # a picture of a few kilobytes can unpack to gigabytes
LARGE = 25_000_000  # pixels; above this, graphs take only kinds of pictures that need no copies
MAX_SCANS = 64  # of a progressive JPEG, each of which takes the time of a whole picture; usual ones have 10
START_OF_SCAN = b"\xff\xda"
MAX_BYTES = 2**28  # of a file; enough for 50 megapixels of four bytes
ACCEPTED = (
    "a PNG, JPEG, GIF, BMP, WebP, TIFF or PPM file with one picture of 8 or 16 bits a channel and at most 50 megapixels"
)

_PNG = b"\x89PNG\r\n\x1a\n"
# The optional chunks of PNG files that change what is shown: transparency, animation, orientation.
_CHUNKS = (b"tRNS", b"acTL", b"fcTL", b"fdAT", b"eXIf")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Anything serious is raised as an error. Filtered once here, because `warnings.catch_warnings` is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes, mode: str) -> Image.Image:
    """Decodes a picture file.

    The format is detected from the content. The picture is turned upright according to its EXIF orientation (damaged
    metadata are ignored), and 16-bit grey is divided by 257. Pictures with several frames are refused, as are those
    with more than 16 bits per channel, unless all values fit into 16.

    Args:
      data: the content of the file.
      mode: "L" (0.299 red + 0.587 green + 0.114 blue, rounded) or "RGB", both composited on white; or "RGBA" with
        straight alpha.

    Returns:
      A Pillow picture of that mode.

    Raises:
      ValueError: the picture is refused; the message says why, in a few words without a full stop.
    """
    return converted(opened(data), mode)


def opened(data: bytes) -> Image.Image:
    """Reads the header of a picture file and checks its size and number of frames; the first half of `decode`.

    Raises:
      ValueError: as `decode`.
    """
    if not data:
        raise ValueError("the file is empty")
    with _refusing():
        image = _identified(data)
        frames = 1 if image.format in JPEG else getattr(image, "n_frames", 1)
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"the picture has {image.width} x {image.height} pixels, more than 50 megapixels")
    if image.format in JPEG and data.count(START_OF_SCAN) > MAX_SCANS:
        raise ValueError(f"the picture has more than {MAX_SCANS} scans")
    if frames != 1:
        raise ValueError(f"the picture has {frames} frames instead of one")
    if "transparency" in image.info and image.format == "PNG":
        with _refusing():
            return _with_transparent_color(image, data)
    return image


def load(image: Image.Image) -> None:
    """Decodes the pixels of a picture from `opened`, with the errors of `decode`."""
    with _refusing():
        image.load()


def converted(image: Image.Image, mode: str) -> Image.Image:
    """The pixels of a picture from `opened`; the second half of `decode`, with its errors."""
    load(image)
    with _refusing():
        turn = orientation(image)
        if turn != 1:
            image = image.transpose(_TURNS[turn])
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.mode == "F":
        raise ValueError("the picture has floating-point values")
    with _refusing():
        return _in_mode(image, mode)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation still to be applied: 1 to 8, 1 for upright pictures and damaged EXIF chunks."""
    try:
        told = image.getexif().get(ExifTags.Base.Orientation)
        return told if told in _TURNS else 1
    except Exception:  # Pillow raises all kinds of errors for damaged files
        return 1


def _with_transparent_color(image: Image.Image, data: bytes) -> Image.Image:
    """Corrects the transparent colour of a PNG picture: Pillow compares the file's value with the converted pixels."""
    depth, kind = data[24], data[25]
    if kind == 0 and depth < 8:
        (key,) = _transparent_color(data, "H")
        image.info["transparency"] = key * 255 // (2**depth - 1)
    elif kind == 2 and depth == 16:
        # The pixels have the high bytes only; read as if their bytes were swapped, they have the low bytes.
        low = Image.open(io.BytesIO(data), formats=("PNG",))
        low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
        keys = np.array(_transparent_color(data, "HHH"))
        is_key = (np.asarray(image) == keys >> 8) & (np.asarray(low) == keys & 255)
        rgba = image.convert("RGB")
        del rgba.info["transparency"]
        rgba.putalpha(Image.fromarray(~is_key.all(axis=2)))
        return rgba
    return image


def _transparent_color(data: bytes, kind: str) -> tuple[int, ...]:
    """The values of the tRNS chunk of a PNG file."""
    for name, start, end in _chunks(data):
        if name == b"tRNS":
            return struct.unpack(f">{kind}", data[start + 8 : end - 4])
    raise ValueError("the transparent colour is missing")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of each complete chunk of a PNG file."""
    start = len(_PNG)
    while start + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        if end > len(data):
            return
        yield kind, start, end
        start = end


def _without_metadata(data: bytes) -> bytes:
    """A PNG file without the chunks that do not change its pixels; others are left as they are.

    Pillow refuses a whole file for a wrong checksum or a damaged text in one of them.
    """
    if not data.startswith(_PNG):
        return data
    kept, done = [data[: len(_PNG)]], len(_PNG)
    for kind, start, end in _chunks(data):
        is_optional = bool(kind[0] & 0x20)  # its first letter is a small one
        is_damaged = kind == b"eXIf" and zlib.crc32(data[start + 4 : end - 4]).to_bytes(4, "big") != data[end - 4 : end]
        if not is_optional or (kind in _CHUNKS and not is_damaged):
            kept.append(data[start:end])
        done = end
    return b"".join([*kept, data[done:]])


def _identified(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(_without_metadata(data)), formats=FORMATS)
    except (Image.DecompressionBombError, MemoryError):
        raise
    except Exception as error:  # Pillow raises all kinds of errors for headers, too
        # Pillow does not open a JPEG with an impossible resolution in its EXIF chunk, so hide the chunk.
        hidden = data.replace(b"Exif\0\0", b"exif\0\0")
        if data.startswith(b"\xff\xd8") and hidden != data:
            return _identified(hidden)
        raise UnidentifiedImageError from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Converts a picture of mode "I" or "I;16" to "L", or to "LA" if it has a transparent colour."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("the picture has 32 bits a channel")
    grey = Image.fromarray((values // 257).astype(np.uint8))
    if "transparency" in image.info:
        opaque = values != image.info["transparency"]
        grey.putalpha(Image.fromarray(opaque.astype(np.uint8) * 255))
    return grey


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if mode == "RGBA":
            return image
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode == mode:
        return image
    # Convert palettes and CMYK to grey via RGB, like all other pictures.
    return image.convert("RGB").convert(mode)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Converts Pillow's errors for damaged files, which are of all kinds, to a ValueError in the `with` block."""
    try:
        yield
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        raise ValueError("the picture has more than 50 megapixels") from error
    except UnidentifiedImageError as error:
        raise ValueError("this is not a picture") from error
    except Exception as error:
        raise ValueError(f"the picture is cut short or damaged ({files.reason(error)})") from error
