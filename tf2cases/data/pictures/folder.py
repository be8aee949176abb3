"""Folders of picture files, nested or flat."""

import contextlib
import functools
import os

from tf2cases.errors import UsageError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MAX_FILE_BYTES = 2**26  # a file or an archive's header is not trusted to reserve more memory than this


def is_hidden(name):
    """Whether any part of a relative path, with slashes, is hidden, or is what macOS puts into archives."""
    return "__MACOSX" in name or any(part.startswith(".") and part.strip(".") for part in name.split("/"))


def is_picture(name):
    """Whether a relative path, with slashes, is that of a picture: by its extension, and if no part of it is hidden.

    The extension only chooses the files; what format one has is seen from its content.
    """
    return name.lower().endswith(EXTENSIONS) and not is_hidden(name)


class PictureFolder:
    """The picture files below a folder. Links are followed, but no folder is visited twice.

    Attributes:
      path: the folder.

    Raises (on construction):
      UsageError: it does not exist.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        if not os.path.isdir(path):
            raise UsageError(f"{path} does not exist: expected a folder of pictures.")

    @functools.cached_property
    def names(self):
        """Relative paths, with slashes, sorted."""
        found, visited = [], set()
        for folder, folders, files in os.walk(self.path, followlinks=True):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                folders.clear()
                continue
            visited.add((status.st_dev, status.st_ino))
            # Sorted, for which of two links to a folder counts must not depend on the file system.
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            relative = os.path.relpath(folder, self.path).replace(os.sep, "/")
            prefix = "" if relative == "." else relative + "/"
            found += [prefix + name for name in files if is_picture(prefix + name)]
        if not found:
            raise UsageError(
                f"{self.path} has no pictures: expected files that end in {', '.join(EXTENSIONS)}, at any depth."
            )
        return sorted(found)

    def fingerprint(self):
        """What tells these files from others, JSON-able: [[name, bytes, time of change in ns]].

        Raises:
          UsageError: there are no pictures.
        """
        return [[name, *self._status(name)] for name in self.names]

    def _status(self, name):
        try:
            status = os.stat(os.path.join(self.path, name))
        except OSError:  # a link that leads nowhere; reading it will say so
            return 0, 0
        return status.st_size, status.st_mtime_ns

    @contextlib.contextmanager
    def open(self):
        """Gives the number of pictures and an iterable of (name, read); read() returns bytes or raises OSError.

        Raises:
          UsageError: there are no pictures.
        """
        yield len(self.names), ((name, functools.partial(self._read, name)) for name in self.names)

    def _read(self, name):
        with open(os.path.join(self.path, name), "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise OSError(f"more than {MAX_FILE_BYTES // 2**20} MiB")
        return data
