"""Folders of pictures: which files count, and what tells one folder from another."""

import os

import pytest

from tf2cases.data.pictures import folder
from tf2cases.data.pictures.folder import PictureFolder
from tf2cases.errors import UsageError


def put(place, *names):
    for name in names:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def test_pictures_at_any_depth_sorted(tmp_path):
    put(
        tmp_path,
        "b.JPG",
        "a/b/c.png",
        "a.webp",
        "readme.txt",
        ".hidden.png",
        ".git/x.png",
        "a/.x/y.png",
        "no_extension",
    )
    put(tmp_path, "__MACOSX/._b.jpg", "z.u8", "my__MACOSX/d.pgm")
    assert PictureFolder(tmp_path).names == ["a.webp", "a/b/c.png", "b.JPG", "my__MACOSX/d.pgm"]


def test_loops_of_links_end(tmp_path):
    put(tmp_path, "real/a.png")
    (tmp_path / "real" / "up").symlink_to(tmp_path)
    (tmp_path / "real" / "self").symlink_to(tmp_path / "real")
    assert PictureFolder(tmp_path).names == ["real/a.png"]


def test_links_to_folders_are_followed_once(tmp_path):
    put(tmp_path, "elsewhere/a.png")
    (tmp_path / "set").mkdir()
    for name in ("one", "two"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere")
    assert PictureFolder(tmp_path / "set").names == ["one/a.png"]


def test_reads_each_file(tmp_path):
    put(tmp_path, "b.png", "a/c.png")
    with PictureFolder(tmp_path).open() as (count, files):
        assert count == 2
        assert [(name, read()) for name, read in files] == [("a/c.png", b"a/c.png"), ("b.png", b"b.png")]


def test_unreadable_files_raise_when_read(tmp_path, monkeypatch):
    put(tmp_path, "big.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    monkeypatch.setattr(folder, "MAX_BYTES", 2**20)
    os.truncate(tmp_path / "big.png", 2**20 + 1)
    pictures = PictureFolder(tmp_path)
    assert len(pictures.fingerprint()) == 2
    with pictures.open() as (_, files):
        reads = [read for _, read in files]
    with pytest.raises(OSError, match="more than 1 MiB"):
        reads[0]()
    with pytest.raises(OSError, match="No such file"):
        reads[1]()


def test_fingerprint_follows_names_sizes_and_times(tmp_path):
    put(tmp_path, "a.png", "b.png")
    first = PictureFolder(tmp_path).fingerprint()
    assert first == PictureFolder(tmp_path).fingerprint()
    (tmp_path / "note.txt").write_text("not a picture")
    assert first == PictureFolder(tmp_path).fingerprint()
    seen = [first]
    os.utime(tmp_path / "a.png", ns=(1, 1))
    seen.append(PictureFolder(tmp_path).fingerprint())
    os.truncate(tmp_path / "a.png", 1)
    os.utime(tmp_path / "a.png", ns=(1, 1))
    seen.append(PictureFolder(tmp_path).fingerprint())
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    seen.append(PictureFolder(tmp_path).fingerprint())
    assert all(a != b for i, a in enumerate(seen) for b in seen[:i])


def test_refuses_a_folder_without_pictures(tmp_path):
    put(tmp_path, "a.txt")
    with pytest.raises(UsageError, match=r"has no pictures, but must have files ending in \.png, "):
        PictureFolder(tmp_path).fingerprint()


def test_refuses_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere does not exist: expected a folder of pictures"):
        PictureFolder(tmp_path / "nowhere")
