"""The idx format of the MNIST files: a big-endian header, then unsigned bytes.

Header: two zero bytes, the type (8: unsigned byte), the number of dimensions, and one 32-bit size
per dimension. Reference: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import os
import struct
import zlib
from typing import IO, Any

import numpy as np

from tf2cases import files
from tf2cases.errors import UsageError

_UNSIGNED_BYTE = 8
_GZIP_MAGIC = b"\x1f\x8b"
_MAX_BYTES = 2**31  # limits the memory that is allocated because of a header


def read(path: str | os.PathLike) -> np.ndarray:
    """Reads an idx file of unsigned bytes, plain or gzipped (detected from its content, not its name).

    Returns:
      uint8 array with the header's shape, read-only.

    Raises:
      UsageError: the file is missing, unreadable, not idx, truncated, or longer than its header says.
    """
    try:
        files.check_regular(path)
        with open(path, "rb") as file:
            zipped = file.read(2) == _GZIP_MAGIC
        opener: Any = gzip.open if zipped else open
        with opener(path, "rb") as file:
            shape = _read_header(path, file)
            size = math.prod(shape)
            content = file.read(size + 1)  # one more, to notice trailing bytes
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: expected an idx file, plain or gzipped.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(
            f"{path} is a truncated or damaged gzip file ({files.reason(error)}): expected a complete one."
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({files.reason(error)}): expected an idx file, plain or gzipped."
        ) from error
    if len(content) != size:
        wrong = f"has only {len(content)}" if len(content) < size else "has more"
        raise UsageError(f"{path}: expected {size} bytes for the shape {list(shape)} of its header, but it {wrong}.")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_header(path: str | os.PathLike, file: IO[bytes]) -> tuple[int, ...]:
    """Reads the header; returns the shape."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:3] != bytes([0, 0, _UNSIGNED_BYTE]):
        raise UsageError(
            f"{path} has the magic number 0x{magic.hex()}: expected 0x000008NN, an idx file of "
            "unsigned bytes with NN dimensions."
        )
    rank = magic[3]
    if not 1 <= rank <= 4:
        raise UsageError(f"{path} has {rank} dimensions: expected 1 to 4.")
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise UsageError(f"{path} ends inside its header: expected {4 + 4 * rank} bytes for {rank} dimensions.")
    shape = struct.unpack(f">{rank}I", sizes)
    if math.prod(max(side, 1) for side in shape) > _MAX_BYTES:
        raise UsageError(f"{path} has a header for the shape {list(shape)}: expected at most {_MAX_BYTES} bytes.")
    return shape


def write(path: str | os.PathLike, array: np.ndarray) -> None:
    """Writes a uint8 array of 1 to 4 dimensions; gzipped if `path` ends in .gz.

    The same array always produces the same bytes (no timestamp or name), and the file is either complete or absent.

    Raises:
      ValueError: the array is not uint8, or does not have 1 to 4 dimensions.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8 or not 1 <= array.ndim <= 4:
        raise ValueError(
            f"array is {array.dtype} with shape {list(array.shape)}: expected uint8 with 1 to 4 dimensions."
        )
    header = bytes([0, 0, _UNSIGNED_BYTE, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    with files.replacing(path) as file:
        if str(path).endswith(".gz"):
            with gzip.GzipFile("", "wb", 9, file, mtime=0) as zipped:
                zipped.write(header + array.tobytes())
        else:
            file.write(header + array.tobytes())
