"""Folders and archives of pictures whose sub-folders are the classes, and the assignment of pictures to splits."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Collection

import numpy as np

from tf2cases.data.pictures import members
from tf2cases.data.pictures.decoding import ENDINGS
from tf2cases.data.pictures.folder import LeftOut, is_hidden, walk
from tf2cases.errors import UsageError

SPLITS = ("train", "validation", "test")
_SHARES = (80, 10, 10)  # %
_HASHES = 2**27 - 1  # MAX_NUM_IMAGES_PER_CLASS of TensorFlow's retrain.py
_FEWEST = 2  # pictures per class


@dataclasses.dataclass(frozen=True, eq=False)
class ClassFolder:
    """The pictures and classes of a folder or archive.

    Attributes:
      path: the folder or archive.
      class_names: names of the sub-folders, sorted.
      paths: [N] paths of the picture files, class by class, sorted; bytes that are not UTF-8 are surrogate-escaped.
      labels: int32 [N], positions in `class_names`.
    """

    path: str
    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    labels: np.ndarray

    def without(self, bad: Collection[str]) -> "ClassFolder":
        """The same folder without some pictures.

        Args:
          bad: their paths.

        Raises:
          UsageError: a class has too few pictures left.
        """
        kept = [i for i, path in enumerate(self.paths) if path not in bad]
        fewer = dataclasses.replace(self, paths=tuple(self.paths[i] for i in kept), labels=self.labels[kept])
        _check_counts(fewer)
        return fewer

    def splits(self) -> np.ndarray:
        """int [N]: the position of each picture's split in `SPLITS`, see `split_of`.

        Raises:
          UsageError: a split would be empty, or a class would have no picture to train on.
        """
        splits = np.array([split_of(path) for path in self.paths])
        sizes = np.bincount(splits, minlength=len(SPLITS))
        if not sizes.all():
            raise UsageError(
                f"--data_dir={self.path} has {len(splits)} pictures, which are too few: by their names, {sizes[0]} of "
                f"them are for training, {sizes[1]} for validation and {sizes[2]} for testing; it must have more, such "
                "as 20 for each class, so that there are some for each of the three."
            )
        trained = np.bincount(self.labels[splits == 0], minlength=len(self.class_names))
        for name, count in zip(self.class_names, trained, strict=True):
            if not count:
                raise UsageError(
                    f"--data_dir={self.path} has too few pictures of {name!r}: by their names, all of them are for "
                    "validation and testing; it must have more, such as 20, so that there are some for training."
                )
        return splits


def split_of(path: str) -> int:
    """The split of a picture, 0, 1 or 2 for training, validation or testing: 80, 10 and 10 % of all names.

    The SHA-1 of the base name decides, so that a picture stays in its split when others are added or removed. As in
    TensorFlow's retrain.py, everything from `_nohash_` on is ignored, so that very similar pictures can be kept in the
    same split.
    """
    name = os.fsencode(os.path.basename(path)).split(b"_nohash_")[0]
    percent = int(hashlib.sha1(name).hexdigest(), 16) % (_HASHES + 1) * (100 / _HASHES)
    _, validation, test = _SHARES
    return 1 if percent < validation else 2 if percent < validation + test else 0


def read(path: str) -> ClassFolder:
    """Lists a folder or archive: its sub-folders are the classes, each with all pictures at any depth, see `LeftOut`.

    Hidden folders, and files outside the sub-folders, are skipped; a line says how many. No picture is opened. If the
    whole content of an archive is in one folder, the sub-folders of that one are the classes.

    Args:
      path: the folder or archive.

    Returns:
      `ClassFolder`.

    Raises:
      UsageError: the folder does not exist, has fewer than two classes, or has a class with fewer than two pictures or
        with a name that is not UTF-8; or the archive cannot be read.
    """
    if os.path.isfile(path):
        return _in_archive(path)
    if not os.path.isdir(path):
        raise UsageError(
            f"--data_dir is {path!r}, but must be a folder with a sub-folder of pictures for each class, or a zip or "
            "tar archive of one."
        )
    left_out = LeftOut()
    names = []
    for name in sorted(os.listdir(path)):
        if os.path.isdir(os.path.join(path, name)) and not is_hidden(name):
            names.append(name)
        elif left_out.takes(name):
            left_out.add("outside the sub-folders of the classes")
    found = {name: walk(os.path.join(path, name), left_out) for name in names}
    folder = _made(path, path, found)
    left_out.say(path)
    return folder


def _in_archive(path: str) -> ClassFolder:
    found: dict[str, list[str]] = {}
    names = members.names(path)
    top = os.path.commonpath([f"/{os.path.dirname(name)}" for name in names])[1:] if len(names) > 1 else ""
    for name in names:
        first, _, rest = name[len(top) :].lstrip("/").partition("/")
        if rest:
            found.setdefault(first, []).append(rest)
    return _made(path, os.path.join(path, top), found)


def _made(path: str, top: str, found: dict[str, list[str]]) -> ClassFolder:
    """The `ClassFolder` of the sub-folders of `top`, {name: relative paths of its pictures}."""
    names = sorted(found)
    for name in names:
        if re.search("[\udc80-\udcff]", name):  # Python's escapes of bytes that are not UTF-8
            raise UsageError(
                f"--data_dir={path} has a sub-folder whose name, {os.fsencode(name)!r}, is not UTF-8, but must be, "
                "because it is the name of a class."
            )
    if len(names) < 2:
        only = f"one sub-folder, {names[0]!r}," if names else "no sub-folder,"
        raise UsageError(f"--data_dir={path} has {only} but must have at least two: each is a class.")
    folder = ClassFolder(
        path,
        tuple(names),
        tuple(os.path.join(top, name, file) for name in names for file in found[name]),
        np.repeat(np.arange(len(names), dtype=np.int32), [len(found[name]) for name in names]),
    )
    _check_counts(folder)
    return folder


def _check_counts(folder: ClassFolder) -> None:
    counts = np.bincount(folder.labels, minlength=len(folder.class_names)).tolist()
    for name, count in zip(folder.class_names, counts, strict=True):
        if count < _FEWEST:
            what = f"{count or 'no'} usable picture{'s'[: count != 1]}"
            raise UsageError(
                f"{os.path.join(folder.path, name)} has {what}, but a class must have at least {_FEWEST}: files ending "
                f"in {', '.join(ENDINGS)}."
            )
