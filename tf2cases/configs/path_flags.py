"""Flags that are paths: `~` is expanded, URLs are refused, and their use is checked before the work."""

import errno
import os
import re
from collections.abc import Sequence

from absl import flags

from tf2cases import files
from tf2cases.errors import UsageError

# What a path is used for, which decides how it is checked:
READ = "read"  # a file or folder that must exist
FOLDER = "folder"  # a folder that is written to, and created if missing
FILE = "file"  # a file to write, in an existing folder
PICTURE = "picture"  # a picture file to write, likewise; its ending decides the format
CACHE = "cache"  # a folder that may be read-only if it is complete, and is created if missing
OTHER = "other"  # the path need not exist, or may be a name instead; the program itself checks it

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")  # the formats that are written

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class _Parser(flags.ArgumentParser):
    """Parses the path of a flag; `use` is one of the constants above."""

    def __init__(self, use: str, may_be_empty: bool):
        super().__init__()
        self.use, self._may_be_empty = use, may_be_empty

    def parse(self, argument: str) -> str:
        if not argument and not self._may_be_empty:
            raise ValueError("must be a path, and not empty.")
        return _local(argument, utf8=True)


def define(
    name: str, default: str | None, help: str, use: str, flag_values: flags.FlagValues, may_be_empty: bool = False
) -> None:
    """Defines a flag whose value is a path on this computer.

    Args:
      name, default, help, flag_values: as for `flags.DEFINE_string`.
      use: one of the constants above.
      may_be_empty: whether the empty text is accepted; the help must say what it means.
    """
    flags.DEFINE(_Parser(use, may_be_empty), name, default, help, flag_values, flags.ArgumentSerializer())


def use_of(flag: flags.Flag) -> str | None:
    """What the path of a flag is used for; None if the flag was not defined with `define`."""
    return flag.parser.use if isinstance(flag.parser, _Parser) else None


def check_all(flag_values: flags.FlagValues) -> None:
    """Checks the paths of all flags; caches only if they were given, since not every command needs them.

    Raises:
      UsageError: see `check`.
    """
    for name in flag_values:
        flag = flag_values[name]
        use = use_of(flag)
        if use and flag.value is not None and (flag.present or use != CACHE):
            check(name, flag.value, use)


def positional(arguments: Sequence[str]) -> list[str]:
    """Paths that were given without a flag; their names may contain any bytes.

    Raises:
      UsageError: one of them is a URL, or empty.
    """
    found = []
    for argument in arguments:
        if not argument:
            raise UsageError("one of the arguments is empty, but must be a path.")
        try:
            found.append(_local(argument, utf8=False))
        except ValueError as error:
            raise UsageError(f"{argument} {error}") from error
    return found


def check(flag: str, path: str, use: str) -> None:
    """Checks whether the path of a flag can be used as intended.

    Args:
      flag: the flag's name, or that of a positional argument in capitals.
      path: its value.
      use: one of the constants above.

    Raises:
      UsageError: it cannot; the message names the flag and the path.
    """
    name = flag if flag.isupper() else f"--{flag}"
    given = f"{name} is {path!r}, but"
    if use == READ and path and not os.path.exists(path):
        raise UsageError(f"{given} must be an existing file or folder.")
    if use in (FOLDER, CACHE):
        there = _nearest(given, os.path.abspath(path))
        if not os.path.isdir(there):
            raise UsageError(f"{given} {there} is not a folder; it must be a folder, or a new one in a folder.")
        may_be_read_only = use == CACHE and os.path.isdir(path)
        if not may_be_read_only and not files.can_write_in(there):
            raise UsageError(f"{given} {there} cannot be written to; it must be in a writable folder.")
    if use in (FILE, PICTURE):
        files.check_target(name, path)
    if use == PICTURE and not path.lower().endswith(PICTURES) and not files.is_special(path):
        raise UsageError(f"{given} must end in {', '.join(PICTURES[:-1])} or {PICTURES[-1]}, which is its format.")


def _nearest(given: str, path: str) -> str:
    """The path, or the nearest of the folders above it that exists."""
    while True:
        try:
            os.lstat(path)
            return path
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise UsageError(f"{given} it cannot be used: {error.strerror}.") from error
        path = os.path.dirname(path)


def _local(path: str, utf8: bool) -> str:
    """A path with `~` expanded.

    Raises:
      ValueError: it is a URL or, if `utf8`, not UTF-8, so that TensorFlow cannot open it; the message says what is
        accepted.
    """
    if url := _URL.match(path):
        raise ValueError(f"must be a path on this computer, without {url[0]}.")
    path = os.path.expanduser(path)
    if utf8:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise ValueError("must be a path whose name is UTF-8.") from None
    return path
