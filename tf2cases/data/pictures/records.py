"""A file cache, by key, of arrays that are costly to compute; it keeps what an interrupted run has computed."""

import contextlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tf2cases import files
from tf2cases.errors import RunError

KEY_BYTES = 32


class RecordFile:
    """An append-only file of records: a key, a checksum and an array; all arrays have the same shape.

    One process at a time appends; others may read meanwhile. A record that a kill or a crash left incomplete counts as
    missing.
    """

    def __init__(self, path: str, shape: Sequence[int], dtype: np.typing.DTypeLike):
        """Args:
        path: the file; its folder is created when something is appended.
        shape, dtype: of one array.
        """
        self.path, self.shape, self.dtype = path, tuple(shape), np.dtype(dtype)
        self._record = np.dtype(
            [("key", np.uint8, KEY_BYTES), ("checksum", np.uint32), ("values", self.dtype, self.shape)]
        )

    def find(self, keys: Sequence[bytes]) -> np.ndarray:
        """Finds arrays by their keys.

        Args:
          keys: [bytes of length 32].

        Returns:
          int64 [N]: their positions, for `rows`; -1 for those that are missing or damaged.
        """
        records = self._records()
        known = {key.tobytes(): i for i, key in enumerate(records["key"])}
        found = np.array([known.get(key, -1) for key in keys], np.int64)
        for i in np.unique(found[found >= 0]):
            if records["checksum"][i] != _checksum(records[i]):
                found[found == i] = -1
        return found

    def rows(self, positions: np.ndarray) -> "Rows":
        """The arrays at positions that `find` returned, as `Rows`."""
        return Rows(self._records()["values"], positions)

    def _records(self) -> np.ndarray:
        size = os.path.getsize(self.path) if os.path.exists(self.path) else 0
        count = size // self._record.itemsize
        if not count:
            return np.empty([0], self._record)
        return np.memmap(self.path, self._record, "r", shape=(count,))

    @contextlib.contextmanager
    def appending(self) -> Iterator[Callable[[Sequence[bytes], np.ndarray], None]]:
        """Locks the file for appending, and yields a function that appends keys [n] and values [n, *shape].

        Raises:
          RunError: the disk is full, or the file cannot be written.
        """
        try:
            os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
            with open(self.path, "ab") as file:
                files.hold(file, f"is filling {self.path}")
                # Drop an incomplete last record, left by a killed run.
                file.truncate(os.fstat(file.fileno()).st_size // self._record.itemsize * self._record.itemsize)

                def append(keys: Sequence[bytes], values: np.ndarray) -> None:
                    records = np.zeros([len(keys)], self._record)
                    records["key"] = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES)
                    records["values"] = values
                    records["checksum"] = [_checksum(record) for record in records]
                    file.write(records.tobytes())
                    file.flush()

                yield append
                os.fsync(file.fileno())
        except OSError as error:
            raise RunError(
                f"{self.path} could not be written ({files.reason(error)}); what was saved before is intact."
            ) from error


def _checksum(record: np.void) -> int:
    return zlib.crc32(record["values"].tobytes(), zlib.crc32(record["key"].tobytes()))


class Rows:
    """Some rows of an array on disk, in any order, read on access.

    It supports what `data.pipeline` needs of an array [N, ...]: length, shape, dtype, nbytes, indexing by a slice or by
    indices, np.asarray.
    """

    def __init__(self, values: np.ndarray, positions: np.ndarray):
        self._values, self._positions = values, np.asarray(positions)
        self.shape, self.dtype = (len(self._positions), *values.shape[1:]), values.dtype
        self.nbytes = int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        return np.asarray(self._values[self._positions[index]])

    def take(self, indices: np.ndarray) -> "Rows":
        """Some of these rows, not yet read."""
        return Rows(self._values, self._positions[indices])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return self[:].astype(dtype or self.dtype, copy=False)
