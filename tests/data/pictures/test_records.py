"""Arrays kept under keys: what was complete stays, what was torn is as if it were not there."""

import hashlib
import os

import numpy as np
import pytest

from tf2cases.data.pictures.records import RecordFile
from tf2cases.errors import RunError


def keys(*names):
    return [hashlib.sha256(name.encode()).digest() for name in names]


def values(count, start=0):
    return np.arange(start, start + count * 6, dtype=np.float32).reshape(count, 2, 3)


@pytest.fixture
def file(tmp_path):
    """With the records a, b and c."""
    file = RecordFile(str(tmp_path / "place" / "x.records"), [2, 3], np.float32)
    with file.appending() as append:
        append(keys("a", "b"), values(2))
        append(keys("c"), values(1, 12))
    return file


def test_arrays_are_found_by_their_keys_in_any_order(file):
    again = RecordFile(file.path, [2, 3], np.float32)
    positions = again.find(keys("c", "none", "a", "c"))
    assert positions.tolist() == [2, -1, 0, 2]
    np.testing.assert_array_equal(again.rows([2, 0]), values(3)[[2, 0]])


def test_a_file_that_is_not_there_has_nothing(tmp_path):
    file = RecordFile(str(tmp_path / "none.records"), [2, 3], np.float32)
    assert file.find(keys("a")).tolist() == [-1]
    assert file.rows(np.array([], np.int64)).shape == (0, 2, 3)


def test_a_torn_record_is_dropped_and_what_follows_is_right(file):
    os.truncate(file.path, os.path.getsize(file.path) - 7)
    assert file.find(keys("a", "b", "c")).tolist() == [0, 1, -1]
    with file.appending() as append:
        append(keys("d"), values(1, 30))
    positions = file.find(keys("b", "d"))
    assert positions.tolist() == [1, 2]
    np.testing.assert_array_equal(file.rows(positions), [values(2)[1], values(1, 30)[0]])


def test_a_damaged_record_is_missing_until_it_is_appended_again(file):
    with open(file.path, "r+b") as opened:
        opened.seek(40)  # among the numbers of the first
        opened.write(b"\xff")
    assert file.find(keys("a", "b")).tolist() == [-1, 1]
    with file.appending() as append:
        append(keys("a"), values(1))
    np.testing.assert_array_equal(file.rows(file.find(keys("a"))), values(1))


def test_what_was_appended_before_an_interruption_stays(file):
    def interrupted():
        with file.appending() as append:
            append(keys("d"), values(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.find(keys("d")).tolist() == [3]


def test_rows_are_as_an_array(file):
    rows, expected = file.rows([2, 0, 1]), values(3)[[2, 0, 1]]
    assert (len(rows), rows.shape, rows.dtype, rows.nbytes) == (3, (3, 2, 3), np.float32, expected.nbytes)
    np.testing.assert_array_equal(rows[1:], expected[1:])
    np.testing.assert_array_equal(rows[np.array([1, 1, 0])], expected[[1, 1, 0]])
    np.testing.assert_array_equal(np.asarray(rows), expected)
    np.testing.assert_array_equal(rows.take(np.array([2, 0])), expected[[2, 0]])


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    file = RecordFile(str(tmp_path / "file" / "x.records"), [1], np.uint8)
    with pytest.raises(RunError, match=r"file/x\.records could not be written \("), file.appending():
        pass
