"""Pictures inside archives by path."""

import os
import random
import tarfile
import zipfile

import pytest

from tf2cases.data.pictures import classes, members
from tf2cases.errors import UsageError
from tf2cases.programs import given_pictures

FILES = {f"flowers/{kind}/{i}.jpg": f"{kind} {i}".encode() * 100 for kind in ("rose", "tulip") for i in range(20)}


@pytest.fixture(params=["a.zip", "a.tar", "a.tgz", "a.tar.bz2", "a.tar.xz"])
def archive(request, tmp_path):
    """An archive of FILES in no order, and the same files in a folder beside it."""
    for name, data in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    names = random.Random(1).sample(list(FILES), len(FILES))
    path = tmp_path / request.param
    if request.param == "a.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name in names:
                zipped.write(tmp_path / name, name)
    else:
        with tarfile.open(path, f"w:{request.param.rpartition('.')[2].replace('tgz', 'gz').replace('tar', '')}") as tar:
            for name in names:
                tar.add(tmp_path / name, name)
    yield str(path)
    members._opened.close()
    members._opened = None


def test_members_are_listed_by_name_and_read_in_any_order(archive):
    assert members.names(archive) == sorted(FILES)
    for name in reversed(FILES):
        assert members.read_file(os.path.join(archive, name)) == FILES[name]


def test_what_is_no_member_is_refused(archive):
    for path in (f"{archive}/flowers/rose/99.jpg", f"{archive}/flowers", f"{os.path.dirname(archive)}/b.jpg"):
        with pytest.raises(OSError, match=r"No such file|Not a directory"):
            members.read_file(path)


def test_a_changed_archive_is_opened_again(archive):
    members.names(archive)
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("new.png", b"new")
    assert members.names(archive) == ["new.png"]
    assert members.read_file(f"{archive}/new.png") == b"new"


def test_classes_of_an_archive_are_those_of_its_folder(archive):
    unpacked = classes.read(os.path.join(os.path.dirname(archive), "flowers"))
    packed = classes.read(archive)
    assert packed.class_names == unpacked.class_names == ("rose", "tulip")
    assert [os.path.relpath(p, archive) for p in packed.paths] == [
        os.path.relpath(p, os.path.dirname(archive)) for p in unpacked.paths
    ]
    assert packed.labels.tolist() == unpacked.labels.tolist()


def test_programs_take_an_archive_like_a_folder(archive):
    folder = os.path.dirname(archive)
    in_folder = [os.path.relpath(path, folder) for path in given_pictures.listed([folder])]
    assert [os.path.relpath(path, archive) for path in given_pictures.listed([archive])] == in_folder


def test_an_archive_whose_top_folders_are_the_classes(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        for name in ("a/1.png", "a/x/2.png", "b/1.png", "b/2.png", "3.png"):
            zipped.writestr(name, name)
    found = classes.read(str(tmp_path / "a.zip"))
    assert found.class_names == ("a", "b")
    assert [os.path.relpath(path, tmp_path / "a.zip") for path in found.paths] == [
        "a/1.png",
        "a/x/2.png",
        "b/1.png",
        "b/2.png",
    ]


def test_an_archive_without_classes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("set/a/1.png", "1")
        zipped.writestr("set/a/2.png", "2")
    with pytest.raises(UsageError, match=r"--data_dir=\S+a.zip has no sub-folder, but must have at least two"):
        classes.read(str(tmp_path / "a.zip"))
