"""Zip and tar archives of pictures, read member by member: nothing is unpacked to the disk."""

import bz2
import contextlib
import copy
import functools
import gzip
import hashlib
import lzma
import os
import posixpath
import re
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from tf2cases import files
from tf2cases.data.pictures.decoding import MAX_BYTES
from tf2cases.data.pictures.folder import LeftOut, Readers, check_bytes, no_pictures
from tf2cases.errors import RunError, UsageError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_FINGERPRINT_BYTES = 2**16
_Files = list[tuple[str, Callable[[], bytes]]]  # [(name, read)]
_COMPRESSIONS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
# Limits on what an archive may unpack to. Pictures hardly compress, so only an archive that is meant to exhaust the
# memory or the patience of its reader exceeds them.
_MOST_EXPANDED = 100  # times the size of the archive, ...
_NEVER_TOO_LARGE = 2**32  # ... unless it is less than this, in bytes
_BLOCK = 2**18  # bytes
_MAX_HEADER = 2**18  # bytes of a tar's header, which may hold a long name
_MAX_DICTIONARY = 2**28  # bytes of memory for decompressing xz; its highest level needs 65 MiB


class PictureArchive:
    """The picture files of one archive: zip, or tar with or without compression.

    Args:
      path: the archive.
      expected: base names of other files that are listed and can be read like pictures.

    Attributes:
      path: the archive.
    """

    def __init__(self, path: str | os.PathLike, *expected: str):
        self.path, self._expected = os.fspath(path), expected

    def fingerprint(self) -> list:
        """The identity of this archive, JSON-serializable: size, modification time, and a hash of both ends.

        Raises:
          UsageError: it cannot be read.
        """
        try:
            files.check_regular(self.path)
            status = os.stat(self.path)
            digest = hashlib.sha256()
            with open(self.path, "rb") as file:
                digest.update(file.read(_FINGERPRINT_BYTES))
                file.seek(max(0, status.st_size - _FINGERPRINT_BYTES))  # where a zip has its directory
                digest.update(file.read())
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read ({files.reason(error)}): expected an archive.") from error
        return [status.st_size, status.st_mtime_ns, digest.hexdigest()]

    @contextlib.contextmanager
    def open(self, in_any_order: bool = False) -> Iterator[tuple[int, Readers]]:
        """Yields the number of pictures and an iterator of (name, read); read() returns bytes or raises OSError.

        The pictures of a tar come in its own order, those of a zip sorted by name.

        Args:
          in_any_order: whether they are read in any order. Otherwise read each before asking for the next: a compressed
            tar would be decompressed again and again. With it, such a tar is decompressed once, to a temporary file.

        Raises:
          RunError: there is no room for the temporary file.
          UsageError: the file is not an archive (for example an HTML page), is cut short or damaged, has no pictures,
            or has a member that is a link or whose path leads out of the archive.
        """
        try:
            files.check_regular(self.path)
            with open(self.path, "rb") as file:
                head = file.read(1024)
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read ({files.reason(error)}): expected an archive.") from error
        if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|body|\?xml)", head, re.IGNORECASE):
            raise UsageError(
                f"{self.path} is an HTML page, probably a download-quota notice, and not an archive: open it in a "
                "browser, and download the file again."
            )
        # By content: a zip starts with PK, a tar with the name of its first member. Also by name, for damaged zips.
        is_zip = head.startswith(b"PK") or self.path.lower().endswith(".zip")
        kind, listed = ("zip", _in_zip) if is_zip else ("tar", _in_tar)
        with contextlib.ExitStack() as stack:
            try:
                left_out = LeftOut(*self._expected)
                found = listed(self.path, head, stack, left_out, in_any_order)
            except (UsageError, RunError):
                raise
            except Exception as error:  # zipfile and tarfile raise all kinds of errors for damaged archives
                raise UsageError(
                    f"{self.path} is cut short, damaged or not an archive ({files.reason(error)}): expected a complete "
                    f"{kind} archive, so download or copy it again."
                ) from error
            if not found:
                raise no_pictures(self.path)
            left_out.say(self.path)
            yield len(found), ((name, functools.partial(_guarded, read)) for name, read in found)


def _in_zip(path: str, head: bytes, stack: contextlib.ExitStack, left_out: LeftOut, in_any_order: bool) -> _Files:
    """[(name, read)], sorted by name."""
    del head, in_any_order
    archive = stack.enter_context(zipfile.ZipFile(path))
    found: _Files = []
    unpacked = 0
    for info in archive.infolist():
        _check_name(path, info.filename)
        mode = info.external_attr >> 16
        if stat.S_ISLNK(mode):
            raise _refusal(path, info.filename, "is a link")
        if not info.is_dir() and (left_out.takes(info.filename) or left_out.expects(info.filename)):
            unpacked += min(info.file_size, MAX_BYTES)
            found.append((info.filename, functools.partial(_read_zipped, archive, info)))
    _check_expansion(path, unpacked)
    return sorted(found, key=lambda file: file[0])


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Reads a member, at most one byte more than it declares, and never more than a picture may have."""
    check_bytes(info.file_size)
    if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with archive.open(info) as member:
            data = member.read(info.file_size + 1)
    elif info.compress_type == zipfile.ZIP_BZIP2:
        # `zipfile` decompresses this in blocks of unlimited size, so it only reads the compressed bytes.
        raw = copy.copy(info)
        raw.compress_type, raw.file_size = zipfile.ZIP_STORED, info.compress_size
        raw.CRC = None  # type: ignore[assignment]  # that of the decompressed bytes; bzip2 has checksums of its own
        with archive.open(raw) as stored, bz2.open(stored) as member:
            data = member.read(info.file_size + 1)
    else:
        raise OSError("its compression is not supported: expected none, deflate or bzip2")
    if len(data) != info.file_size:
        raise OSError(f"it does not have the {info.file_size} bytes that its header declares")
    return data


def _in_tar(path: str, head: bytes, stack: contextlib.ExitStack, left_out: LeftOut, in_any_order: bool) -> _Files:
    """[(name, read)], in the order of the archive, which is read once to its end."""
    found: _Files = []
    opener = next((opener for start, opener in _COMPRESSIONS.items() if head.startswith(start)), open)
    file = stack.enter_context(opener(path, "rb"))
    if opener is lzma.open:
        lzma.LZMADecompressor(memlimit=_MAX_DICTIONARY).decompress(head, max_length=1)
    is_compressed = opener is not open
    if is_compressed and in_any_order:
        file, is_compressed = _decompressed(path, file, stack), False
    limited: Any = _Limited(path, file, is_compressed)
    archive: Any = stack.enter_context(tarfile.open(fileobj=limited, mode="r:"))
    while (member := archive.next()) is not None:
        archive.members.clear()  # they would take a kilobyte each
        _check_name(path, member.name)
        if member.issym() or member.islnk():
            raise _refusal(path, member.name, "is a link")
        if not member.isdir() and (not member.isreg() or member.issparse()):
            raise _refusal(path, member.name, "is not a plain file")
        if member.size < 0:
            raise tarfile.ReadError("the size of a member is negative")
        name = posixpath.normpath(member.name)  # without the leading ./ of `tar -cf x.tar .`
        if member.isreg() and (left_out.takes(name) or left_out.expects(name)):
            position = member.offset_data, member.size
            found.append((name, functools.partial(_read_tarred, file, *position)))
    # An archive ends with a block of zeros, but tarfile also accepts garbage or a missing block.
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("the end of the archive is missing")
    while archive.fileobj.read(_BLOCK):  # until the compression's checksum is verified
        archive.fileobj.seek(file.tell())
    return found


def _decompressed(path: str, file: IO[bytes], stack: contextlib.ExitStack) -> IO[bytes]:
    """A temporary file, without a name, with the content of a compressed one."""
    plain = stack.enter_context(tempfile.TemporaryFile())
    while block := file.read(_BLOCK):
        _check_expansion(path, plain.tell() + len(block))
        try:
            plain.write(block)
        except OSError as error:
            raise RunError(
                f"{path} cannot be decompressed to {tempfile.gettempdir()} ({files.reason(error)}): expected enough "
                "room, or TMPDIR to name another folder."
            ) from error
    plain.seek(0)
    return plain


class _Limited:
    """The file from which `tarfile` reads headers: refuses large reads and, if it is compressed, large expansion."""

    def __init__(self, path: str, file: IO[bytes], is_compressed: bool):
        self._path, self._file, self._is_compressed = path, file, is_compressed

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError(f"a header declares {size} bytes")
        return self._file.read(size)

    def seek(self, position: int) -> int:
        if self._is_compressed:
            _check_expansion(self._path, position)
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()


def _read_tarred(file: IO[bytes], offset: int, size: int) -> bytes:
    check_bytes(size)
    file.seek(offset)
    return file.read(size)


def _check_expansion(path: str, unpacked: int) -> None:
    """Refuses an archive that unpacks to so many bytes."""
    if unpacked > max(_NEVER_TOO_LARGE, _MOST_EXPANDED * os.path.getsize(path)):
        raise UsageError(
            f"{path} unpacks to {unpacked / 2**30:,.0f} GiB or more, which is more than {_MOST_EXPANDED} times its "
            "size: expected an archive of pictures."
        )


def _guarded(read: Callable[[], bytes]) -> bytes:
    """Reads a member; converts every error for a damaged or encrypted member to an OSError."""
    try:
        return read()
    except Exception as error:  # as for damaged archives
        raise OSError(files.reason(error)) from error


def _check_name(path: str, name: str) -> None:
    # Nothing is written to these paths, but an archive with such names is malicious.
    parts = name.replace("\\", "/").split("/")
    if ".." in parts:
        raise _refusal(path, name, "leads out of the archive")
    if not parts[0] or re.match("[A-Za-z]:", name):
        raise _refusal(path, name, "is an absolute path")


def _refusal(path: str, name: str, why: str) -> UsageError:
    return UsageError(f"{path} has a member {name!r}, which {why}: expected only plain files with paths inside it.")
