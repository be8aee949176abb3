"""Folders of pictures: which files count, and what tells one folder from another."""

import os
import tarfile
import zipfile

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


def test_what_is_left_out_is_counted_and_said_in_one_line(tmp_path, capsys):
    put(tmp_path, "a.jpg", "b.JFIF", "c.heic", "d.HEIC", "e.txt", "none", ".hidden.jpg", "._a.jpg", "Thumbs.db")
    put(tmp_path, "@eaDir/a.jpg", ".ipynb_checkpoints/a.jpg", "sub/__MACOSX/x/a.jpg", "sub/desktop.ini", "sub/f.jpe")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert PictureFolder(tmp_path).names == ["a.jpg", "b.JFIF", "sub/f.jpe"]
    assert capsys.readouterr().out == (
        f"Left out of {tmp_path}: 4 without the ending of a picture (.heic 2, .txt 1, no ending 1), "
        "7 hidden or made by the system, 1 reached again by a link.\n"
    )


def test_nothing_is_said_where_nothing_is_left_out(tmp_path, capsys):
    put(tmp_path, "a.jpg", "b/c.png")
    assert len(PictureFolder(tmp_path).names) == 2
    assert capsys.readouterr().out == ""


def test_a_folder_that_cannot_be_read_is_counted(tmp_path, capsys, monkeypatch):
    put(tmp_path, "a.jpg", "secret/b.jpg")
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == "secret":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert PictureFolder(tmp_path).names == ["a.jpg"]
    assert "1 that cannot be read (Permission denied)" in capsys.readouterr().out


CLUTTER = {
    "set/11.jfif",
    "set/12.png",
    *("set/13.txt", "set/.14.png", "set/._12.png", "set/Thumbs.db", "set/@eaDir/15.png", "set/__MACOSX/16.png"),
    *("set/.ipynb_checkpoints/17.png",),
}


def test_every_kind_of_collection_takes_the_same_files(tmp_path):
    from tf2cases.data.captchas import listing
    from tf2cases.data.pictures import classes
    from tf2cases.data.pictures.archive import PictureArchive
    from tf2cases.programs import given_pictures

    put(tmp_path, *CLUTTER)
    put(tmp_path, "other/1.png", "other/2.png")
    with tarfile.open(tmp_path / "a.tar", "w") as tar, zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        tar.add(tmp_path / "set", "set")
        for name in CLUTTER:
            zipped.write(tmp_path / name, name)
    found = [PictureFolder(tmp_path / "set").names]
    for archive in ("a.tar", "a.zip"):
        with PictureArchive(tmp_path / archive).open() as (_, pictures):
            found.append(sorted(name.removeprefix("set/") for name, _ in pictures))
    with listing.opened(str(tmp_path / "set")) as (pictures, _):
        found.append([name for name, _ in pictures])
    found.append([os.path.relpath(p, tmp_path / "set") for p in given_pictures.listed([str(tmp_path / "set")])])
    paths = classes.read(str(tmp_path)).paths
    found.append([os.path.relpath(p, tmp_path / "set") for p in paths if os.path.dirname(p) == str(tmp_path / "set")])
    assert found == [["11.jfif", "12.png"]] * 6
