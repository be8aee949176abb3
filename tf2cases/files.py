"""Atomic writes of files and folders.

A file or folder is either complete or absent: it is written under a temporary name in the same folder and then renamed.
The temporary name is always `.NAME.XXXXXXXX.partial`, and its writer holds a lock on it, so `sweep` can distinguish the
leftovers of a killed process from what another process is still writing.

TensorFlow is not imported here, but its errors are handled if it is loaded.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from tf2cases.errors import RunError, UsageError

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial", re.DOTALL)
# Characters that TensorFlow takes for a pattern of file names, and bytes that are not UTF-8, which it refuses.
_NOT_LITERAL = re.compile(r"[\[\]\\*?\ud800-\udfff]")

# Atomic writes of files


@contextlib.contextmanager
def replacing(path: str | os.PathLike, mode: str = "wb", durable: bool = True, **options: Any) -> Iterator[IO]:
    """Opens a temporary file for writing; it is renamed to `path` when the block ends, or removed if the block raises.

    If `durable`, what killed writers of the same file left behind is removed first.
    A symbolic link is followed: the file it points to is replaced, not the link. An existing path that is not a regular
    file (a device, a pipe) is written to directly. Missing folders are created.

    Args:
      path: the file to write.
      mode, options: as for `open`. The file's `name` is its temporary path, for libraries that open files themselves.
      durable: whether to flush the content to disk before the file is renamed; False for large numbers of files that
        can be recreated.

    Raises:
      OSError: the file cannot be written; an older file at `path` is then unchanged, and nothing new is left behind.
    """
    given = os.fspath(path)
    path = os.path.realpath(given)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), given)
    if is_special(given):  # before its links are resolved: that of /dev/stdout leads to a name which is no path
        with open(given, mode, **options) as file:
            yield file
        return
    if os.path.islink(path):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), given)
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    if durable:
        sweep(folder, name)
    try:
        with _temporary(folder, name, lambda new: open(new, "x").close(), os.remove) as temporary:
            with open(temporary, mode, **options) as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
    except OSError as error:
        if error.errno is not None and (error.filename is None or _is_temporary(error.filename)):
            error.filename, error.filename2 = given, None
        raise
    if durable:
        sync(folder)


def _is_temporary(path: object) -> bool:
    return isinstance(path, str) and bool(_TEMPORARY.fullmatch(os.path.basename(path)))


def is_special(path: str | os.PathLike) -> bool:
    """Whether a path leads to what is neither a regular file nor a folder, such as a device or a pipe."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def check_target(flag: str, path: str) -> None:
    """Checks before the work whether `replacing` can write a file; links are followed, as there.

    Args:
      flag: what names the path in the message, such as --out.
      path: the file; its folder must exist.

    Raises:
      UsageError: it cannot; the message names the flag and the path.
    """
    given = f"{flag} is {path!r}, but"
    if os.path.isdir(path) or not os.path.basename(path):
        raise UsageError(f"{given} must be a file, not a folder.")
    if is_special(path):
        if not os.access(path, os.W_OK):
            raise UsageError(f"{given} it cannot be written to; it must be a file in a writable folder.")
        return
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise UsageError(f"{given} the folder {folder} does not exist; it must be a file in an existing folder.")
    try:
        os.stat(target)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError(f"{given} it cannot be used: {reason(error)}.") from error
    if not can_write_in(folder):
        raise UsageError(f"{given} {folder} cannot be written to; it must be a file in a writable folder.")


def can_write_in(folder: str | os.PathLike) -> bool:
    """Whether files can be created in a folder; it creates one, since permissions let root write even in /proc."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    try:
        tempfile.TemporaryFile(dir=os.fspath(folder)).close()
    except OSError:
        return False
    return True


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file atomically, with `replacing`."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a UTF-8 text file with `write_bytes`; surrogate escapes become the bytes they stand for."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: str | os.PathLike, record: object) -> None:
    """Writes indented JSON with `write_text`."""
    write_text(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


# Atomic writes of folders


@contextlib.contextmanager
def temporary_folder(parent: str | os.PathLike, name: str) -> Iterator[str]:
    """Creates a folder in `parent` under a temporary name; it is removed at the end unless `publish` has renamed it.

    What killed writers of the same folder left behind is removed first.

    Args:
      parent: created if missing.
      name: the folder's final name.

    Yields:
      Its path.
    """
    os.makedirs(parent, exist_ok=True)
    sweep(parent, name)
    with _temporary(os.fspath(parent), name, os.mkdir, shutil.rmtree) as path:
        yield path


def publish(folder: str, target: str, replace: bool = False) -> None:
    """Renames a finished folder to its final name, after flushing its content to disk.

    Args:
      folder: from `temporary_folder`.
      target: its final path, in the same parent.
      replace: whether to replace an existing folder; for a moment there is none, but never an incomplete one.

    Raises:
      OSError: `target` exists already, or the disk is full.
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
    """Removes a folder, or a link to one; if killed halfway, it leaves nothing that looks complete.

    Raises:
      OSError: the folder does not exist or cannot be removed.
    """
    if os.path.islink(path):
        os.remove(path)
        return
    parent, name = os.path.split(os.path.abspath(path))
    leftover = _temporary_name(parent, name)
    os.rename(path, leftover)
    with contextlib.suppress(FileNotFoundError):  # `sweep` in another process removed it first
        _remove_abandoned(leftover)


# Leftovers of killed processes


def sweep(folder: str | os.PathLike, name: str | None = None) -> None:
    """Removes temporary files and folders whose writers are gone; what cannot be removed stays.

    Args:
      folder: the folder to clean up, without its sub-folders.
      name: the final name whose temporary files and folders are removed; None for all.
    """
    with contextlib.suppress(OSError), os.scandir(os.fspath(folder) or ".") as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match and (name is None or _shortened(name) == match[1]):
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
    return os.path.join(folder, f".{_shortened(name)}.{uuid.uuid4().hex[:8]}.partial")


def _shortened(name: str) -> str:
    """A name that has room for the rest of a temporary one: file systems allow 255 bytes."""
    return os.fsdecode(os.fsencode(name)[: 255 - len("..01234567.partial")])


@contextlib.contextmanager
def _temporary(folder: str, name: str, make: Callable[[str], object], remove: Callable[[str], object]) -> Iterator[str]:
    """Creates and locks a temporary file or folder, and removes it at the end unless it was renamed.

    Its name is known before it is created, so that a signal at any moment leaves nothing.
    """
    path, handle = "", -1
    try:
        while True:
            path = _temporary_name(folder, name)
            make(path)
            # `sweep` in another process may remove it before it is locked; then create another one.
            with contextlib.suppress(FileNotFoundError):
                handle = os.open(path, os.O_RDONLY)
                if try_hold(handle) and os.path.exists(path):
                    break
                os.close(handle)
                handle = -1
        yield path
    finally:
        try:
            with contextlib.suppress(OSError):
                remove(path)
        finally:
            if handle >= 0:
                os.close(handle)


# Locks, which the operating system releases when the file is closed or the process ends


def hold(file: IO, what: str) -> None:
    """Locks an open file; if another process holds the lock, prints a message and waits.

    Args:
      file: an open file.
      what: what the other process is doing, for the message: "is drawing PATH".
    """
    if not try_hold(file):
        print(f"Waiting for another process that {what}.", flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)


def try_hold(file: IO | int) -> bool:
    """Locks an open file or handle unless another process holds the lock; returns whether it succeeded."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# Reading

MAX_JSON = 2**28  # bytes of a JSON file, or of another one that is kept in memory as text


def check_regular(path: str | os.PathLike) -> None:
    """Raises OSError unless a path is that of a regular file: devices and pipes may have no end."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", path)


def read_bytes(path: str | os.PathLike, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Raises:
      OSError: it cannot be read, is no regular file, or is larger.
    """
    check_regular(path)
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise OSError(errno.EFBIG, f"more than {limit // 2**20:,} MiB", path)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"more than {limit // 2**20:,} MiB", path)
    return data


def read_json(path: str | os.PathLike) -> Any:
    """The content of a UTF-8 JSON file; bytes that are not UTF-8 are surrogate-escaped.

    Raises:
      OSError: as `read_bytes`.
      ValueError: it is not JSON.
    """
    text = read_bytes(path, MAX_JSON).decode("utf-8", "surrogateescape")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


# One-sentence error messages


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Converts file errors of Python or TensorFlow in the `with` block, such as a full disk, to a RunError."""
    try:
        yield
    except failures() as error:
        raise RunError(f"{path} could not be written: {reason(error)}; what was saved before is intact.") from error


def failures() -> tuple[type[BaseException], ...]:
    """The error classes that file operations of Python and, if loaded, TensorFlow raise."""
    tensorflow = sys.modules.get("tensorflow")
    return (OSError, tensorflow.errors.OpError) if tensorflow else (OSError,)


def reason(error: BaseException) -> str:
    """Why something failed, in a few words without a full stop, for any error of Python, TensorFlow or a library.

    Error numbers, temporary names, nodes of TensorFlow's graphs and representations of Python objects are left out.
    """
    cause = getattr(error, "reason", None)
    if isinstance(error, OSError) and isinstance(cause, OSError):  # urllib wraps the error of the connection
        return reason(cause)
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno} is not JSON"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1:,} is not {error.encoding.upper()}"
    if isinstance(error, (AttributeError, TypeError, IndexError)):  # about Python's types
        return "its content has another form"
    if isinstance(error, KeyError):
        name = str(error.args[0]) if error.args else ""
        return _plain(name) if " " in name else f"{name or 'a key'} is missing"
    if isinstance(error, OSError):
        said = error.strerror or str(error)
    else:
        said = getattr(error, "message", None) or str(error)
    if type(error).__name__ == "ResourceExhaustedError" and (not said or _OF_DISKS.search(said)):
        return os.strerror(errno.ENOSPC)  # TensorFlow buries this under lines of context, or omits it
    return _plain(said, last=hasattr(error, "node_def")) or type(error).__name__


_INNARDS = re.compile(
    r"{{.*?}} ?|\[Op:.*|\[Errno -?\d+\] ?|\bError -?\d+ while decompressing data: "  # TensorFlow, Python, zlib
    r"|\[SSL: \w+\] ?| \(_ssl\.c:\d+\)| ?<[\w.]+ (?:object at 0x\w+|name=)[^>]*>"  # OpenSSL, objects
)
_OF_DISKS = re.compile(r"no space|quota|write|writing|save|saving|append|flush", re.IGNORECASE)  # memory is another one
_OF_HDF5 = re.compile(r"\(unable to .*error message = '([^']+)'.*\)", re.DOTALL)
_ASSERTED = re.compile(r"assertion failed: \[(.*)\]")


def _plain(message: str, last: bool = False) -> str:
    """The sentence in a message, without innards: its first line, or the last one before TensorFlow's list of nodes."""
    lines = [line for line in message.split("\n\t [[")[0].splitlines() if _INNARDS.sub("", line).strip()]
    line = _OF_HDF5.sub(r"(\1)", lines[-1 if last else 0] if lines else "")
    line = re.sub(r"\.([^/\s]+)\.[0-9a-f]{8}\.partial\b", r"\1", _INNARDS.sub("", line))
    asserted = _ASSERTED.search(line)
    return " ".join((asserted[1] if asserted else line).split()).strip("'\"").rstrip(".:;, ")


def failure(error: OSError | MemoryError) -> str:
    """One sentence for an error that nobody has explained: the file, if it is known, and the reason."""
    name = getattr(error, "filename", None)
    where = "" if name is None or isinstance(name, int) else f"{_plain(os.fsdecode(name))}: "
    return f"{where}{reason(error)}."


def sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def crc32(path: str | os.PathLike) -> int:
    """The CRC-32 of a file's content, which takes less time than `sha256`."""
    checksum = 0
    with open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum


def set_aside(path: str, why: str) -> None:
    """Renames a damaged file to `damaged_...` in its folder, replacing an earlier one, and prints a line that says so.

    Args:
      path: the file.
      why: how it is known to be damaged.
    """
    aside = os.path.join(os.path.dirname(path), f"damaged_{os.path.basename(path)}")
    os.replace(path, aside)
    print(f"warning: {path} is damaged ({why}); it is kept as {aside} and written again.", flush=True)


@contextlib.contextmanager
def literal(path: str | os.PathLike) -> Iterator[str]:
    """Yields another name of a path, which TensorFlow reads as it is, in the `with` block.

    TensorFlow takes the prefix of a checkpoint, also of that in a SavedModel, for a pattern of file names, and refuses
    names that are not UTF-8. If the path has such characters, the yielded one leads to it by a temporary symbolic link.

    Args:
      path: of a folder, or the common prefix of a checkpoint's files, without the dot after it.
    """
    path = os.fspath(path)
    if not _NOT_LITERAL.search(path):
        yield path
        return
    folder, name = os.path.split(os.path.abspath(path))
    places = (tempfile.gettempdir(), "/tmp", "/var/tmp")
    place = next((place for place in places if not _NOT_LITERAL.search(place)), None)
    with tempfile.TemporaryDirectory(dir=place) as temporary:
        link = os.path.join(temporary, "link")
        for entry in os.listdir(folder):
            if entry == name or entry.startswith(f"{name}."):
                os.symlink(os.path.join(folder, entry), link + entry[len(name) :])
        yield link


def is_same(path: str, other: str) -> bool:
    """Whether two paths lead to one existing file."""
    with contextlib.suppress(OSError):
        return os.path.samefile(path, other)
    return False


def sync(path: str | os.PathLike) -> None:
    """Flushes a file's content, or a folder's list of names, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
