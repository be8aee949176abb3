"""Folders of picture files, nested or flat: which files count, and reading them.

Which files of a folder or an archive count is decided here, for all programs: `LeftOut.takes`.
"""

import collections
import contextlib
import functools
import os
from collections.abc import Callable, Iterator

from tf2cases import files
from tf2cases.data.pictures.decoding import ENDINGS, MAX_BYTES
from tf2cases.errors import UsageError

# Pictures one by one: (name, a function that returns the file's bytes or raises OSError).
Readers = Iterator[tuple[str, Callable[[], bytes]]]


# Files and folders that systems add to those of their users, in lower case.
_SYSTEM = {
    *("__macosx", "@eadir", "thumbs.db", "desktop.ini", "lost+found"),
    *("$recycle.bin", "#recycle", "@recycle", "system volume information"),
}
_NAMED = 5  # endings that a message names


def is_hidden(name: str) -> bool:
    """Whether any part of a relative path, with slashes, is hidden or made by a system, such as __MACOSX."""
    return any(part.lower() in _SYSTEM or (part.startswith(".") and part.strip(".")) for part in name.split("/"))


class LeftOut:
    """Decides which files of a folder or archive are pictures, and counts the others.

    Args:
      expected: base names of files that are neither pictures nor counted.
    """

    def __init__(self, *expected: str):
        self._expected = expected
        self._endings: collections.Counter[str] = collections.Counter()
        self._others: collections.Counter[str] = collections.Counter()

    def takes(self, name: str) -> bool:
        """Whether a relative path, with slashes, is that of a picture: it has a picture's ending and no hidden part.

        The ending only selects the files; the format of each is detected from its content.
        """
        if is_hidden(name):
            self.add("hidden or made by the system")
            return False
        if name.lower().endswith(ENDINGS):
            return True
        if not self.expects(name):
            self._endings[os.path.splitext(name)[1].lower() or "no ending"] += 1
        return False

    def expects(self, name: str) -> bool:
        """Whether a relative path, with slashes, is that of an expected file."""
        return not is_hidden(name) and os.path.basename(name) in self._expected

    def add(self, why: str) -> None:
        """Counts a file or folder that is left out for another reason."""
        self._others[why] += 1

    def say(self, path: str) -> None:
        """Prints one line that says what was left out of the folder or archive at `path`, if anything was."""
        parts = []
        if self._endings:
            named = [f"{ending} {count:,}" for ending, count in self._endings.most_common(_NAMED)]
            more = ", ..." if len(self._endings) > _NAMED else ""
            total = self._endings.total()
            parts.append(f"{total:,} without the ending of a picture ({', '.join(named)}{more})")
        parts += [f"{count:,} {why}" for why, count in sorted(self._others.items())]
        if parts:
            print(f"Left out of {path}: {', '.join(parts)}.", flush=True)


def walk(folder: str, left_out: LeftOut) -> list[str]:
    """The relative paths, with slashes, of the pictures below a folder at any depth, sorted.

    Hidden files and folders are skipped. Links are followed, but no folder is visited twice.

    Args:
      folder: the folder.
      left_out: decides which files count, and counts the others.
    """
    found, visited = [], set()
    errors: list[OSError] = []
    for place, folders, names in os.walk(folder, followlinks=True, onerror=errors.append):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in visited:
            left_out.add("reached again by a link")
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        # Sorted, so that which of two links to a folder counts does not depend on the file system.
        for name in filter(is_hidden, folders):
            left_out.takes(name)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        relative = os.path.relpath(place, folder).replace(os.sep, "/")
        prefix = "" if relative == "." else relative + "/"
        found += [prefix + name for name in names if left_out.takes(prefix + name)]
    for error in errors:
        left_out.add(f"that cannot be read ({files.reason(error)})")
    return sorted(found)


def read_file(path: str | os.PathLike) -> bytes:
    """The content of a picture file.

    Raises:
      OSError: it cannot be read, or is larger than any picture that is accepted.
    """
    return files.read_bytes(path, MAX_BYTES)


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
        left_out = LeftOut()
        names = walk(self.path, left_out)
        if not names:
            raise no_pictures(self.path)
        left_out.say(self.path)
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
