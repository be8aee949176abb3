"""Zip and tar archives of pictures, read member by member: nothing is unpacked to the disk."""

import contextlib
import functools
import hashlib
import lzma
import os
import posixpath
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from tf2cases.data.pictures.folder import Readers, check_bytes, is_picture, no_pictures
from tf2cases.errors import UsageError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_FINGERPRINT_BYTES = 2**16
_Files = list[tuple[str, Callable[[], bytes]]]  # [(name, read)]
# Errors that the readers raise for archives that are cut short or damaged.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)


class PictureArchive:
    """The picture files of one archive: zip, or tar with or without compression.

    Attributes:
      path: the archive.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = os.fspath(path)

    def fingerprint(self) -> list:
        """The identity of this archive, JSON-serializable: size, modification time, and a hash of both ends.

        Raises:
          UsageError: it cannot be read.
        """
        try:
            status = os.stat(self.path)
            digest = hashlib.sha256()
            with open(self.path, "rb") as file:
                digest.update(file.read(_FINGERPRINT_BYTES))
                file.seek(max(0, status.st_size - _FINGERPRINT_BYTES))  # where a zip has its directory
                digest.update(file.read())
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read ({error.strerror}): expected an archive.") from error
        return [status.st_size, status.st_mtime_ns, digest.hexdigest()]

    @contextlib.contextmanager
    def open(self) -> Iterator[tuple[int, Readers]]:
        """Yields the number of pictures and an iterator of (name, read); read() returns bytes or raises OSError.

        The pictures of a tar come in its own order, those of a zip sorted by name. Read each before asking for the
        next: otherwise a compressed tar is decompressed again and again.

        Raises:
          UsageError: the file is not an archive (for example an HTML page), is cut short or damaged, has no pictures,
            or has a member that is a link or whose path leads out of the archive.
        """
        with open(self.path, "rb") as file:
            head = file.read(1024)
        if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|body|\?xml)", head, re.IGNORECASE):
            raise UsageError(
                f"{self.path} is an HTML page, probably a download-quota notice, and not an archive: open it in a "
                "browser, and download the file again."
            )
        # By content: a zip starts with PK, a tar with the name of its first member. Also by name, for damaged zips.
        is_zip = head.startswith(b"PK") or self.path.lower().endswith(".zip")
        kind: str
        opener: Any
        listed: Any
        kind, opener, listed = ("zip", zipfile.ZipFile, _in_zip) if is_zip else ("tar", tarfile.open, _in_tar)
        with contextlib.ExitStack() as stack:
            try:
                files = listed(self.path, stack.enter_context(opener(self.path)))
            except _DAMAGE as error:
                why = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
                raise UsageError(
                    f"{self.path} is cut short, damaged or not an archive ({why}): expected a complete {kind} archive, "
                    "so download or copy it again."
                ) from error
            if not files:
                raise no_pictures(self.path)
            yield len(files), ((name, functools.partial(_guarded, read)) for name, read in files)


def _in_zip(path: str, archive: zipfile.ZipFile) -> _Files:
    """[(name, read)], sorted by name."""
    files: _Files = []
    for info in archive.infolist():
        _check_name(path, info.filename)
        mode = info.external_attr >> 16
        if stat.S_ISLNK(mode):
            raise _refusal(path, info.filename, "is a link")
        if is_picture(info.filename):
            files.append((info.filename, functools.partial(_read_zipped, archive, info)))
    return sorted(files, key=lambda file: file[0])


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    check_bytes(info.file_size)
    return archive.read(info)


def _in_tar(path: str, archive: Any) -> _Files:
    """[(name, read)], in the order of the archive, which is read once to its end."""
    files: _Files = []
    while (member := archive.next()) is not None:
        archive.members.clear()  # they would take a kilobyte each
        _check_name(path, member.name)
        if member.issym() or member.islnk():
            raise _refusal(path, member.name, "is a link")
        if not member.isdir() and (not member.isreg() or member.issparse()):
            raise _refusal(path, member.name, "is not a plain file")
        if member.isreg() and is_picture(member.name):
            position = member.offset_data, member.size
            name = posixpath.normpath(member.name)  # without the leading ./ of `tar -cf x.tar .`
            files.append((name, functools.partial(_read_tarred, archive.fileobj, *position)))
    # An archive ends with a block of zeros, but tarfile also accepts garbage or a missing block.
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("the end of the archive is missing")
    while archive.fileobj.read(2**20):  # until the compression's checksum is verified
        pass
    return files


def _read_tarred(file: IO[bytes], offset: int, size: int) -> bytes:
    check_bytes(size)
    file.seek(offset)
    return file.read(size)


def _guarded(read: Callable[[], bytes]) -> bytes:
    """Reads a member; converts every error for a damaged or encrypted member to an OSError."""
    try:
        return read()
    except (*_DAMAGE, RuntimeError) as error:
        raise OSError(str(error)) from error


def _check_name(path: str, name: str) -> None:
    # Nothing is written to these paths, but an archive with such names is malicious.
    parts = name.replace("\\", "/").split("/")
    if ".." in parts:
        raise _refusal(path, name, "leads out of the archive")
    if not parts[0] or re.match("[A-Za-z]:", name):
        raise _refusal(path, name, "is an absolute path")


def _refusal(path: str, name: str, why: str) -> UsageError:
    return UsageError(f"{path} has a member {name!r}, which {why}: expected only plain files with paths inside it.")
