"""CelebA and LFW, photographs of faces: the publisher's archive, its unpacked folder, or a TFDS set."""

import contextlib
import dataclasses
import fnmatch
import functools
import hashlib
import itertools
import os
import re
from collections.abc import Iterator, Sequence

from tf2cases.data import tfds
from tf2cases.data.pictures import dataset
from tf2cases.data.pictures.archive import ENDINGS
from tf2cases.data.pictures.folder import PictureFolder, Readers
from tf2cases.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Faces:
    """The names by which the files of one data set are found.

    Attributes:
      whole: number of pictures in the publisher's archive.
      archives: the publisher's names of the archive, for messages.
      stems: name patterns of archives and folders, without extensions, the likeliest first.
      picture: regular expression for the pictures' base names.
    """

    whole: int
    archives: str
    stems: tuple[str, ...]
    picture: str


SETS = {
    # https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html: 178 x 218 pixels, 000001.jpg to 202599.jpg.
    "celeba": Faces(
        202599,
        "img_align_celeba.zip",
        ("img_align_celeba", "img_align_celeba*", "celeba", "celeba*"),
        r"\d{6}\.(jpg|png)",
    ),
    # http://vis-www.cs.umass.edu/lfw: 250 x 250 pixels, NAME/NAME_0001.jpg.
    "lfw": Faces(
        13233,
        "lfw.tgz or lfw-deepfunneled.tgz",
        ("lfw", "lfw[-_]deepfunneled", "lfw[-_]funneled", "lfw*"),
        r"\D+_\d{4}\.(jpg|png)",
    ),
}


def find(name: str, data_dir: str) -> dataset.Collection:
    """Finds the pictures of CelebA ("celeba") or Labeled Faces in the Wild ("lfw").

    Looks, in this order, for: DATA_DIR itself as an archive; the publisher's archive (or one of a subset, such as
    celeba_10000.tgz) or a folder with a similar name, in DATA_DIR/NAME, DATA_DIR, or a folder Img in either; the
    pictures themselves in DATA_DIR/NAME or DATA_DIR; a prepared TFDS set in DATA_DIR, then in TFDS' default directory.
    If none is found, the set is downloaded with TFDS. A subset, or pictures of another size, are accepted.

    Raises:
      UsageError: nothing was found and the network cannot be reached.
      RunError: the download failed.
    """
    if data_dir and os.path.isfile(data_dir):
        return dataset.collection(data_dir)
    inside = [os.path.join(data_dir, name), data_dir] if data_dir else []
    for folder in [deeper for f in inside for deeper in (f, os.path.join(f, "Img"))]:
        path = _archive_or_folder(folder, SETS[name])
        if path:
            return dataset.collection(path)
    for folder in inside:
        if _holds(folder, SETS[name]):
            return PictureFolder(folder)
    files = f"{SETS[name].archives} nor its unpacked pictures"
    return TfdsPictures(tfds.locate(name, data_dir, files, inside))


def _archive_or_folder(folder: str, faces: Faces) -> str | None:
    """The path of the likeliest archive in a folder, else of the likeliest folder with such pictures, else None."""
    paths = [os.path.join(folder, n) for n in sorted(os.listdir(folder))] if os.path.isdir(folder) else []

    def matching(endings: Sequence[str]) -> Iterator[str]:
        for stem, path in itertools.product(faces.stems, paths):
            if any(fnmatch.fnmatch(os.path.basename(path).lower(), stem + ending) for ending in endings):
                yield path

    archives = filter(os.path.isfile, matching(ENDINGS))
    folders = (path for path in matching([""]) if _holds(path, faces))
    return next(itertools.chain(archives, folders), None)


def _holds(folder: str, faces: Faces) -> bool:
    """Whether a folder has such pictures, directly or in sub-folders named after the set or the pictures."""

    def any_in(path: str, prefix: str = "") -> bool:
        names = os.listdir(path) if os.path.isdir(path) else []
        return any(n.startswith(prefix) and re.fullmatch(faces.picture, n, re.IGNORECASE) for n in names)

    if any_in(folder):
        return True
    inside = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    stems = re.compile("|".join(map(fnmatch.translate, faces.stems)))
    return any(any_in(os.path.join(folder, n), "" if stems.match(n.lower()) else f"{n}_") for n in inside)


class TfdsPictures:
    """The pictures of all splits of a prepared TFDS set; their names are checksums of their content.

    Attributes:
      path: the folder of the set.
    """

    def __init__(self, path: str):
        self.path = path

    def fingerprint(self) -> list:
        """The identity of these files, JSON-serializable: [[name, bytes, modification time in ns]]."""
        with os.scandir(self.path) as entries:
            return sorted([e.name, e.stat().st_size, e.stat().st_mtime_ns] for e in entries if e.is_file())

    @contextlib.contextmanager
    def open(self) -> Iterator[tuple[int, Readers]]:
        """Yields the number of pictures and an iterator of (name, read); read() returns bytes.

        Raises:
          UsageError: there are no pictures, or the set cannot be read; also while iterating.
        """
        count, encoded = tfds.encoded_pictures(self.path)
        if not count:
            raise UsageError(f"{self.path} has no pictures: expected a complete TFDS set.")
        yield count, ((hashlib.sha256(data).hexdigest(), functools.partial(bytes, data)) for data in encoded)
