"""Writing files safely.

A file or folder is whole or absent: it is written under a temporary name beside its place and gets its name by one
rename. The temporary name is `.NAME.XXXXXXXX.partial` everywhere, and its writer holds a lock on it; so `sweep` can
tell what a killed process left behind from what another process is writing right now.

TensorFlow is not imported here, but its errors are understood where it is loaded.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import stat
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import IO, Any

from tf2cases.errors import RunError

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial", re.DOTALL)


# Files that are whole or absent


@contextlib.contextmanager
def replacing(path: str | os.PathLike, mode: str = "wb", durable: bool = True, **options: Any) -> Iterator[IO]:
    """Opens a file for writing that takes the name `path` when the block ends, and vanishes if the block raises.

    A link is followed, so that the file it points to is replaced and not the link. What is neither a regular file nor
    absent (a device, a pipe) is written to directly. Missing folders are made.

    Args:
      path: where to.
      mode, options: as for `open`. The file's `name` is its temporary path, for libraries that open files themselves.
      durable: whether the content reaches the disk before the file gets its name; False for files that are many and
        can be made again.

    Raises:
      OSError: the file cannot be written; an older file at `path` is then still there, and nothing new.
    """
    path = os.path.realpath(os.fspath(path))
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        with open(path, mode, **options) as file:
            yield file
        return
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    temporary, lock = _new(folder, name, lambda new: open(new, "x").close())
    try:
        with open(temporary, mode, **options) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise
    finally:
        os.close(lock)
    if durable:
        sync(folder)


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file that is whole or absent, and removes what killed writers of the same file left behind.

    Errors as in `replacing`.
    """
    with replacing(path) as file:
        file.write(content)
    sweep(*os.path.split(os.path.realpath(path)))


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text file in UTF-8 as `write_bytes` does; surrogate escapes become the bytes they stand for."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: str | os.PathLike, record: object) -> None:
    """Writes indented JSON as `write_text` does."""
    write_text(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


# Folders that are whole or absent


@contextlib.contextmanager
def temporary_folder(parent: str | os.PathLike, name: str) -> Iterator[str]:
    """Makes a folder inside `parent` under a temporary name; removed at the end unless `publish` gave it its own.

    Args:
      parent: made if it is not there.
      name: what the folder is meant to be called.

    Yields:
      Its path.
    """
    os.makedirs(parent, exist_ok=True)
    path, lock = _new(os.fspath(parent), name, os.mkdir)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def publish(folder: str, target: str, replace: bool = False) -> None:
    """Gives a finished folder its name, after all that is in it has reached the disk.

    Args:
      folder: from `temporary_folder`.
      target: its path from now on, in the same parent.
      replace: whether a folder of that name is removed; for a moment there is none, but never half of one.

    Raises:
      OSError: `target` is there already, or the disk is full.
    """
    for place, _, names in os.walk(folder):
        for name in names:
            sync(os.path.join(place, name))
        sync(place)
    if replace and os.path.exists(target):
        remove_folder(target)
    os.rename(folder, target)
    sync(os.path.dirname(target) or ".")


def remove_folder(path: str) -> None:
    """Removes a folder so that a kill in the middle leaves nothing that looks whole; of a link, the link alone.

    Raises:
      OSError: it is not there, or cannot be removed.
    """
    if os.path.islink(path):
        os.remove(path)
        return
    parent, name = os.path.split(os.path.abspath(path))
    leftover = _temporary_name(parent, name)
    os.rename(path, leftover)
    with contextlib.suppress(FileNotFoundError):  # `sweep` of another process was quicker
        _remove_abandoned(leftover)


# Leftovers of killed processes


def sweep(folder: str | os.PathLike, name: str | None = None) -> None:
    """Removes temporary files and folders whose writers are gone; what cannot be removed stays.

    Args:
      folder: where to look, not below it.
      name: only those that were to be called so; None for all.
    """
    with contextlib.suppress(OSError), os.scandir(os.fspath(folder) or ".") as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match and name in (None, match[1]):
                with contextlib.suppress(OSError):
                    _remove_abandoned(entry.path)


def _remove_abandoned(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if try_hold(handle):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.remove(path)
    finally:
        os.close(handle)


def _temporary_name(folder: str, name: str) -> str:
    return os.path.join(folder, f".{name}.{uuid.uuid4().hex[:8]}.partial")


def _new(folder: str, name: str, make: Callable[[str], object]) -> tuple[str, int]:
    """The path and the open, locked handle of a temporary file or folder, which `make` makes."""
    while True:
        path = _temporary_name(folder, name)
        make(path)
        # Before the lock `sweep` of another process may come; then it is made again.
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY)
            if try_hold(handle) and os.path.exists(path):
                return path, handle
            os.close(handle)


# Locks, which the operating system drops when the file is closed or the process ends


def hold(file: IO, what: str) -> None:
    """Locks an open file; if another process holds it, says so and waits.

    Args:
      file: an open file.
      what: what the other process is doing, for the message: "draws PATH".
    """
    if not try_hold(file):
        print(f"Waiting for another process that {what}.", flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)


def try_hold(file: IO | int) -> bool:
    """Locks an open file, or handle, if no other process holds it; returns whether it did."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# What failed, in one sentence


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Within `with`, what a full disk makes Python or TensorFlow raise becomes a RunError that names `path`."""
    try:
        yield
    except failures() as error:
        raise RunError(f"{path} could not be written: {reason(error)}; what was saved before is intact.") from error


def failures() -> tuple[type[BaseException], ...]:
    """The classes of what file operations of Python, and of TensorFlow where it is loaded, raise."""
    tensorflow = sys.modules.get("tensorflow")
    return (OSError, tensorflow.errors.OpError) if tensorflow else (OSError,)


def reason(error: BaseException) -> str:
    """Why a file operation failed, in few words, without TensorFlow's innards."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    message = getattr(error, "message", None) or str(error)
    if type(error).__name__ == "ResourceExhaustedError" and "alloc" not in message:
        return os.strerror(errno.ENOSPC)  # TensorFlow says so behind several lines of context, or not at all
    lines = re.sub(r"{{.*?}}|\[Op:.*", "", message).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def sync(path: str | os.PathLike) -> None:
    """Waits until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
