"""Folders of pictures: classes, splits, and what is refused."""

import hashlib
import os
import re

import numpy as np
import pytest

from tf2cases.data.pictures import classes
from tf2cases.errors import UsageError


def fill(folder, **names):
    for kind, files in names.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for file in files:
            (folder / kind / file).write_bytes(b"")  # nothing opens them
    return str(folder)


def retrain_py(name):
    """The arithmetic of TensorFlow's retrain.py, written anew: 0 training, 1 validation, 2 testing."""
    stem = re.sub(r"_nohash_.*$", "", name)
    number = int(hashlib.sha1(stem.encode()).hexdigest(), 16) % 134217728
    percent = number * (100.0 / 134217727)
    return 1 if percent < 10 else 2 if percent < 20 else 0


def test_sub_folders_are_classes_and_pictures_are_found_by_their_endings(tmp_path):
    path = fill(tmp_path, cats=["b.JPG", "a.png", "notes.txt", ".hidden.png"], dogs=["x.gif", "y.bmp"])
    fill(tmp_path / "cats", more=["c.webp"])
    fill(tmp_path, **{".git": ["z.png"], "__MACOSX": ["z.png"]})
    fill(tmp_path / "cats", **{".more": ["z.png"]})
    (tmp_path / "beside.png").write_bytes(b"")
    folder = classes.read(path)
    assert folder.class_names == ("cats", "dogs")
    assert [os.path.relpath(p, path) for p in folder.paths] == [
        "cats/a.png",
        "cats/b.JPG",
        "cats/more/c.webp",
        "dogs/x.gif",
        "dogs/y.bmp",
    ]
    assert folder.labels.tolist() == [0, 0, 0, 1, 1]
    fewer = folder.without({folder.paths[1]})
    assert fewer.paths == (folder.paths[0], *folder.paths[2:])
    assert fewer.labels.tolist() == [0, 0, 1, 1]


def test_the_split_is_that_of_retrain_py_whatever_the_folder():
    names = [f"picture {i}.jpg" for i in range(2000)]
    splits = [classes.split_of(f"/some/where/{name}") for name in names]
    assert splits == [retrain_py(name) for name in names]
    np.testing.assert_allclose(np.bincount(splits) / 2000, [0.8, 0.1, 0.1], atol=0.03)
    assert len({classes.split_of(f"same_nohash_{i}.jpg") for i in range(50)}) == 1


def test_a_name_of_any_bytes_has_a_split():
    assert classes.split_of(os.fsdecode(b"caf\xe9.jpg")) in (0, 1, 2)


def test_a_picture_stays_in_its_split_when_others_are_added(tmp_path):
    names = [f"{i}.png" for i in range(60)]
    few = classes.read(fill(tmp_path, a=names[:40], b=names[:40]))
    before = dict(zip(few.paths, few.splits(), strict=True))
    many = classes.read(fill(tmp_path, a=names, b=names))
    after = dict(zip(many.paths, many.splits(), strict=True))
    assert len(after) == 120
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({}, "has no sub-folder, but must have at least two"),
        ({"cats": ["a.png", "b.png"]}, "has one sub-folder, 'cats', but must have at least two"),
        ({"cats": ["a.png", "b.png"], "dogs": ["a.txt"]}, "dogs has no usable pictures, but a class must have"),
        ({"cats": ["a.png"], "dogs": ["a.png", "b.png"]}, "cats has 1 usable picture, but a class must have at least"),
        (
            {"cats": ["a.png", "b.png"], os.fsdecode(b"caf\xe9"): ["a.png", "b.png"]},
            r"sub-folder whose name, b'caf\\xe9', is not UTF-8",
        ),
    ],
    ids=["empty", "one_class", "no_pictures", "one_picture", "not_utf_8"],
)
def test_folders_that_are_no_classes_are_named(names, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        classes.read(fill(tmp_path, **names))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"--data_dir is '.*none', but must be a folder with a sub-folder"):
        classes.read(str(tmp_path / "none"))


def test_splits_without_pictures_are_refused(tmp_path):
    names = [f"{i}.png" for i in range(400)]
    of = [[name for name in names if retrain_py(name) == split] for split in (0, 1, 2)]
    none_for_testing = fill(tmp_path / "1", a=of[0][:3], b=of[0][3:5] + of[1][:1])
    with pytest.raises(UsageError, match=r"has 6 pictures, .*, 5 of them are for training, 1 for validation and 0 for"):
        classes.read(none_for_testing).splits()
    untrained = fill(tmp_path / "2", a=of[0][:3], b=of[1][:1] + of[2][:1])
    with pytest.raises(UsageError, match="has too few pictures of 'b': by their names, all of them are for validation"):
        classes.read(untrained).splits()


def test_too_few_usable_pictures_of_a_class_are_refused(tmp_path):
    folder = classes.read(fill(tmp_path, a=["1.png", "2.png"], b=["1.png", "2.png"]))
    with pytest.raises(UsageError, match="b has 1 usable picture, but"):
        folder.without({folder.paths[3]})
