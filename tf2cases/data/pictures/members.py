"""Pictures by path, also inside archives: flowers.zip/roses/1.jpg is a member of the archive flowers.zip."""

import contextlib
import os
import threading
from collections.abc import Callable

from tf2cases.data.pictures import folder
from tf2cases.data.pictures.archive import PictureArchive

_lock = threading.Lock()
_opened: "_Archive | None" = None  # the one that was used last


def names(path: str) -> list[str]:
    """The relative paths, with slashes, of the pictures in an archive, sorted.

    Raises:
      UsageError, RunError: see `PictureArchive.open`.
    """
    with _lock:
        return sorted(_archive(path).pictures)


def read_file(path: str | os.PathLike) -> bytes:
    """The content of a picture file, or of a picture in an archive.

    Raises:
      OSError: it cannot be read, or is larger than any picture that is accepted.
      UsageError, RunError: the archive cannot be read, see `PictureArchive.open`.
    """
    try:
        return folder.read_file(path)
    except NotADirectoryError:
        place = os.path.dirname(os.fspath(path))
        while not os.path.isfile(place):
            place = os.path.dirname(place)
        with _lock:
            member = _archive(place).pictures.get(os.path.relpath(path, place).replace(os.sep, "/"))
            if member is None:
                raise
            return member()


class _Archive:
    """An open archive, and functions that read its pictures: {name: read}."""

    def __init__(self, path: str, identity: list):
        self.path, self.identity = path, identity
        with contextlib.ExitStack() as stack:
            _, readers = stack.enter_context(PictureArchive(path).open(in_any_order=True))
            self.pictures: dict[str, Callable[[], bytes]] = dict(readers)
            self.close = stack.pop_all().close


def _archive(path: str) -> _Archive:
    """Opens an archive, unless it is open and unchanged."""
    global _opened
    identity = PictureArchive(path).fingerprint()
    if _opened is None or (_opened.path, _opened.identity) != (path, identity):
        if _opened is not None:
            _opened.close()
            _opened = None
        _opened = _Archive(path, identity)
    return _opened
