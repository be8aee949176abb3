"""The idx reader and writer."""

import gzip
import struct

import numpy as np
import pytest

from tf2cases.data import idx
from tf2cases.errors import UsageError

# 2 x 3 bytes: magic 0x00000802, sizes 2 and 3, then the rows.
SMALL = bytes.fromhex("00000802 00000002 00000003 010203 fdfeff")
SMALL_ARRAY = [[1, 2, 3], [253, 254, 255]]


def write_bytes(tmp_path, content, name="file-idx"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["plain", "plain.gz"])
def test_reads_plain_whatever_the_name(tmp_path, name):
    array = idx.read(write_bytes(tmp_path, SMALL, name))
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, SMALL_ARRAY)


@pytest.mark.parametrize("name", ["zipped.gz", "zipped"])
def test_reads_gzip_whatever_the_name(tmp_path, name):
    array = idx.read(write_bytes(tmp_path, gzip.compress(SMALL, mtime=0), name))
    np.testing.assert_array_equal(array, SMALL_ARRAY)


def test_reads_no_elements(tmp_path):
    assert idx.read(write_bytes(tmp_path, bytes.fromhex("00000801 00000000"))).shape == (0,)


def test_written_bytes_are_the_format(tmp_path):
    idx.write(tmp_path / "a", np.array(SMALL_ARRAY, np.uint8))
    assert (tmp_path / "a").read_bytes() == SMALL
    idx.write(tmp_path / "a.gz", np.array(SMALL_ARRAY, np.uint8))
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == SMALL


def test_gzip_has_neither_time_nor_name(tmp_path):
    idx.write(tmp_path / "one.gz", np.array(SMALL_ARRAY, np.uint8))
    idx.write(tmp_path / "two.gz", np.array(SMALL_ARRAY, np.uint8))
    content = (tmp_path / "one.gz").read_bytes()
    assert content == (tmp_path / "two.gz").read_bytes()
    assert content[3] == 0  # flags: no name
    assert content[4:8] == bytes(4)  # time


def test_writes_what_is_not_contiguous(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(2, 0, 1)
    idx.write(tmp_path / "a.gz", array)
    np.testing.assert_array_equal(idx.read(tmp_path / "a.gz"), array)


@pytest.mark.parametrize("array", [np.zeros(3, np.int64), np.uint8(1), np.zeros([1] * 5, np.uint8)])
def test_write_refuses(tmp_path, array):
    with pytest.raises(ValueError, match=r"expected uint8 with 1 to 4 dimensions"):
        idx.write(tmp_path / "a", array)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"file-idx has the magic number 0x: expected 0x000008NN"),
        (b"\0\0\x08", r"file-idx has the magic number 0x000008: expected"),
        (bytes.fromhex("00000d01 00000000"), r"magic number 0x00000d01: expected"),  # floats
        (b"<html><body>", r"file-idx has the magic number 0x3c68746d: expected"),
        (bytes.fromhex("00000800 00000000"), r"file-idx has 0 dimensions: expected 1 to 4"),
        (bytes.fromhex("00000807 00000000"), r"file-idx has 7 dimensions: expected 1 to 4"),
        (SMALL[:9], r"ends inside its header: expected 12 bytes for 2 dimensions"),
        (SMALL[:-1], r"expected 6 bytes for the shape \[2, 3\] .* has only 5\.$"),
        (SMALL + b"x", r"expected 6 bytes for the shape \[2, 3\] .* has more\.$"),
        (gzip.compress(SMALL[:-1], mtime=0), r"expected 6 bytes .* has only 5\.$"),
        (gzip.compress(SMALL + b"x", mtime=0), r"expected 6 bytes .* has more\.$"),
        (b"\0\0\x08\x02" + struct.pack(">2I", 2**32 - 1, 2**32 - 1), r"expected at most 2147483648"),
    ],
)
def test_refuses_wrong_content(tmp_path, content, message):
    with pytest.raises(UsageError, match=message):
        idx.read(write_bytes(tmp_path, content))


def corrupted(content, position):
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


ZIPPED = gzip.compress(SMALL, mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(ZIPPED[:2], id="magic only"),
        pytest.param(ZIPPED[:14], id="cut in the data"),
        pytest.param(ZIPPED[:-3], id="cut in the checksum"),
        pytest.param(corrupted(ZIPPED, 10), id="wrong block"),
        pytest.param(corrupted(ZIPPED, len(ZIPPED) - 8), id="wrong checksum"),
        pytest.param(ZIPPED + b"garbage", id="garbage after the end"),
    ],
)
def test_refuses_damaged_gzip(tmp_path, content):
    with pytest.raises(UsageError, match=r"file-idx is a truncated or damaged gzip file \(.+\)"):
        idx.read(write_bytes(tmp_path, content))


def test_names_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match=r"nothing-here does not exist: expected an idx file"):
        idx.read(tmp_path / "nothing-here")


def test_names_an_unreadable_file(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read \(Is a directory\): expected an idx file"):
        idx.read(tmp_path)
