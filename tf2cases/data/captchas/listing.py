"""The files of a folder or archive of labelled pictures, and its manifest."""

import contextlib
import functools
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping

from tf2cases import files
from tf2cases.data.captchas import manifest
from tf2cases.data.pictures.archive import PictureArchive
from tf2cases.data.pictures.folder import LeftOut, read_file, walk
from tf2cases.errors import UsageError

CONTACT_SHEET = "contact_sheet.png"  # in a folder that an older version made, but not a captcha

# [(name, a function that returns the file's bytes or raises OSError)], and the manifest.
Listing = tuple[list[tuple[str, Callable[[], bytes]]], dict]


@contextlib.contextmanager
def opened(path: str) -> Iterator[Listing]:
    """Lists the pictures of a folder, flat or nested, or of a zip or tar archive.

    Contact sheets are skipped, as are the files that `LeftOut` does not take.

    Yields:
      The pictures, [(name, read)], sorted by base name, where read() returns bytes or raises OSError; and the manifest
      at the top or next to the pictures, {} if there is none.

    Raises:
      UsageError: the path does not exist, there are no pictures, or the archive or the manifest is damaged.
    """
    if os.path.isdir(path):
        left_out = LeftOut(manifest.NAME)
        names = walk(path, left_out)
        left_out.say(path)
        yield _listing(path, names, lambda name: read_file(os.path.join(path, name)))
    elif os.path.isfile(path):
        with PictureArchive(path, manifest.NAME).open(in_any_order=True) as (_, readers):
            reads = dict(readers)
            names = [name for name in reads if posixpath.basename(name) != manifest.NAME]
            yield _listing(path, names, lambda name: _read_member(reads, name))
    else:
        raise UsageError(
            f"{path} does not exist: expected a folder, or a zip or tar archive, of pictures named like 0123.png."
        )


def _read_member(reads: Mapping[str, Callable[[], bytes]], name: str) -> bytes:
    if name not in reads:
        raise FileNotFoundError
    return reads[name]()


def _listing(path: str, names: Iterable[str], read: Callable[[str], bytes]) -> Listing:
    pictures = (name for name in names if posixpath.basename(name) != CONTACT_SHEET)
    names = sorted(pictures, key=lambda name: (posixpath.basename(name), name))
    if not names:
        raise UsageError(f"{path} has no pictures: expected some, named like 0123.png or 0123-00007.png.")
    found = _manifest(path, names, read)
    return [(name, functools.partial(read, name)) for name in names], found


def _manifest(path: str, names: list[str], read: Callable[[str], bytes]) -> dict:
    """The manifest at the top or next to the pictures, as archives often hold one folder; {} if there is none."""
    for name in (manifest.NAME, posixpath.join(posixpath.dirname(min(names)), manifest.NAME)):
        try:
            data = read(name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UsageError(f"{path}: {name} cannot be read ({files.reason(error)}).") from error
        found = manifest.parse(data, f"{path}: {name}") or {}
        if found and not found["complete"]:
            print(f"{path} is incomplete according to {name}: it has {len(names):,} of {found['count']:,} captchas.")
        return found
    return {}
