"""Folders of picture files, nested or flat: which files count, and reading them."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator

from tf2cases.data.pictures.decoding import ENDINGS, MAX_BYTES
from tf2cases.errors import UsageError

# Pictures one by one: (name, a function that returns the file's bytes or raises OSError).
Readers = Iterator[tuple[str, Callable[[], bytes]]]


def is_hidden(name: str) -> bool:
    """Whether any part of a relative path, with slashes, is hidden or a folder that macOS adds to archives."""
    return any(part == "__MACOSX" or (part.startswith(".") and part.strip(".")) for part in name.split("/"))


def is_picture(name: str) -> bool:
    """Whether a relative path, with slashes, is that of a picture: it has a picture's ending and no hidden part.

    The ending only selects the files; the format of each is detected from its content.
    """
    return name.lower().endswith(ENDINGS) and not is_hidden(name)


def walk(folder: str) -> list[str]:
    """The relative paths, with slashes, of the pictures below a folder at any depth, sorted.

    Hidden files and folders are skipped. Links are followed, but no folder is visited twice.
    """
    found, visited = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        # Sorted, so that which of two links to a folder counts does not depend on the file system.
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        relative = os.path.relpath(place, folder).replace(os.sep, "/")
        prefix = "" if relative == "." else relative + "/"
        found += [prefix + name for name in files if is_picture(prefix + name)]
    return sorted(found)


def read_file(path: str | os.PathLike) -> bytes:
    """The content of a picture file.

    Raises:
      OSError: it cannot be read, or is larger than any picture that is accepted.
    """
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    check_bytes(len(data))
    return data


def check_bytes(size: int) -> None:
    """Raises OSError if a file of that many bytes is larger than any picture that is accepted."""
    if size > MAX_BYTES:
        raise OSError(f"more than {MAX_BYTES // 2**20} MiB")


def no_pictures(path: str) -> UsageError:
    """The error for a path without pictures."""
    return UsageError(f"{path} has no pictures, but must have files ending in {', '.join(ENDINGS)}.")


class PictureFolder:
    """The picture files below a folder, see `walk`.

    Attributes:
      path: the folder.

    Raises (on construction):
      UsageError: it does not exist.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = os.fspath(path)
        if not os.path.isdir(path):
            raise UsageError(f"{path} does not exist: expected a folder of pictures.")

    @functools.cached_property
    def names(self) -> list[str]:
        """Relative paths, with slashes, sorted.

        Raises:
          UsageError: there are no pictures.
        """
        names = walk(self.path)
        if not names:
            raise no_pictures(self.path)
        return names

    def fingerprint(self) -> list:
        """The identity of these files, JSON-serializable: [[name, bytes, modification time in ns]].

        Raises:
          UsageError: there are no pictures.
        """
        return [[name, *self._status(name)] for name in self.names]

    def _status(self, name: str) -> tuple[int, int]:
        try:
            status = os.stat(os.path.join(self.path, name))
        except OSError:  # a broken link; reading it will report that
            return 0, 0
        return status.st_size, status.st_mtime_ns

    @contextlib.contextmanager
    def open(self) -> Iterator[tuple[int, Readers]]:
        """Yields the number of pictures and an iterator of (name, read); read() returns bytes or raises OSError.

        Raises:
          UsageError: there are no pictures.
        """
        readers = ((name, functools.partial(read_file, os.path.join(self.path, name))) for name in self.names)
        yield len(self.names), readers
