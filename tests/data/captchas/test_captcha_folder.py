"""Labelled pictures from folders and archives, and what is refused in them."""

import hashlib
import io
import json
import os
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from tf2cases.data.captchas import folder
from tf2cases.errors import UsageError

_SHARED = os.path.join(os.path.dirname(__file__), *[os.pardir] * 3, "shared", "data", "captchas", "seed_train.tar")


def _png(value=0, size=(16, 6), mode="L"):
    buffer = io.BytesIO()
    Image.new(mode, size, value).save(buffer, "PNG")
    return buffer.getvalue()


def _fill(place, files):
    for name, data in files.items():
        path = os.path.join(place, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    return str(place)


def _tar(path, files, links=(), mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)
    return str(path)


def _manifest(**changed):
    manifest = dict(kind="captchas", charset="0123", length=2, width=20, height=8, seed=0, count=3, complete=True)
    return json.dumps({**manifest, **changed}).encode()


@pytest.mark.parametrize(
    ("name", "label"),
    [("0123.png", "0123"), ("0123-00007.png", "0123"), ("a/b-c/xY9-1-2.JPG", "xY9"), ("e\u0301.png", "é")],
)
def test_label_of_a_name(name, label):
    assert folder.label_of(name) == label


def test_names_stay_apart_where_case_is_not_told():
    names = [folder.file_name(text, i) for i, text in enumerate(["ab", "AB", "aB"])]
    assert len({name.lower() for name in names}) == 3
    assert folder.file_name("7", 123456) == "7-123456.png"


def test_reads_flat_and_nested_in_the_order_of_names(tmp_path):
    files = {
        "x/30-1.png": _png(30),
        "12.png": _png(12),
        "y/z/21.png": _png(21),
        "notes.txt": b"",
        ".00.png": b"x",
        ".hid/31.png": _png(31),
    }
    pictures = folder.read(_fill(tmp_path, files))
    assert pictures.names == ["12.png", "21.png", "30-1.png"]
    assert pictures.images.shape == (3, 6, 16, 1)
    np.testing.assert_array_equal(pictures.images[:, 0, 0, 0], [12, 21, 30])
    np.testing.assert_array_equal(pictures.labels, [[1, 2], [2, 1], [3, 0]])
    assert (pictures.images.dtype, pictures.labels.dtype) == (np.uint8, np.uint8)
    assert pictures.charset.characters == "0123456789"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "zip"])
def test_archive_reads_as_the_folder(tmp_path, mode):
    files = {f"set/{i:02d}.png": _png(i) for i in range(30)} | {
        "set/manifest.json": _manifest(width=18, charset="0123456789")
    }
    unpacked = folder.read(_fill(tmp_path / "a", files))
    path, reverse = tmp_path / "archive", dict(reversed(files.items()))
    if mode == "zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, data in reverse.items():
                zipped.writestr(name, data)
    else:
        _tar(path, reverse, mode=mode)
    archive = folder.read(str(path))
    assert unpacked.names == archive.names
    assert archive.images.shape == (30, 8, 18, 1)
    np.testing.assert_array_equal(unpacked.images, archive.images)
    np.testing.assert_array_equal(unpacked.labels, archive.labels)


@pytest.mark.parametrize("member", ["../01.png", "/02.png", "link"])
def test_nothing_leaves_an_archive(tmp_path, member):
    links = ["03.png"] if member == "link" else []
    path = _tar(tmp_path / "a.tar", {} if links else {member: _png(1)}, links)
    with pytest.raises(UsageError, match=r"has a member '.*', which (is a link|leads out of|is an absolute path)"):
        folder.read(path)
    assert sorted(os.listdir(tmp_path)) == ["a.tar"]


def test_held_out_tenth_is_a_property_of_the_name(tmp_path):
    names = [f"{i:04d}.png" for i in range(400)]
    source = folder.load(_fill(tmp_path, {name: _png(i % 256) for i, name in enumerate(names)}))
    expected = [i for i, n in enumerate(names) if int(hashlib.sha256(n.encode()).hexdigest()[:16], 16) % 10 == 0]
    labels = np.array([[int(c) for c in f"{i:04d}"] for i in expected])
    np.testing.assert_array_equal(source.test["labels"], labels)
    assert len(source.train["images"]) + len(source.test["images"]) == 400
    assert 20 <= len(expected) <= 60
    assert source.info == {"image_shape": [6, 16, 1], "charset": "0123456789", "length": 4}


def test_too_few_pictures_to_split(tmp_path):
    with pytest.raises(
        UsageError, match=r" has 1 picture, which is too few: a tenth of all, chosen by their names, is "
    ):
        folder.load(_fill(tmp_path, {"0123.png": _png()}))


def test_contact_sheet_is_not_a_captcha(tmp_path):
    path = _fill(tmp_path, {"01.png": _png(), "contact_sheet.png": _png()})
    assert folder.read(path).names == ["01.png"]


def test_other_sizes_are_resized(tmp_path):
    path = _fill(tmp_path, {"0.png": _png(50), "1.png": _png(60, (33, 44))})
    assert folder.read(path).images.shape == (2, 6, 16, 1)
    pictures = folder.read(path, width=10, height=20)
    assert pictures.images.shape == (2, 20, 10, 1)
    np.testing.assert_array_equal(pictures.images[1], 60)


@pytest.mark.parametrize(
    ("mode", "value", "grey"),
    [
        ("RGB", (10, 200, 30), 124),  # 0.299 * 10 + 0.587 * 200 + 0.114 * 30 = 123.81
        ("RGBA", (0, 0, 0, 0), 255),  # transparent on white
        ("RGBA", (0, 0, 0, 255), 0),
        ("I;16", 257 * 99, 99),
        ("1", 1, 255),
        ("P", 0, 0),
    ],
)
def test_grey_of_every_mode(tmp_path, mode, value, grey):
    path = _fill(tmp_path, {"0.png": _png(value, mode=mode)})
    np.testing.assert_array_equal(folder.read(path).images[0, ..., 0], np.full([6, 16], grey))


@pytest.mark.parametrize("place", ["", "set/"])
def test_manifest_gives_the_defaults(tmp_path, place):
    files = {f"{place}11-00000.png": _png(), f"{place}manifest.json": _manifest()}
    for path in (_fill(tmp_path / "a", files), _tar(tmp_path / "a.tar", files)):
        pictures = folder.read(path)
        assert pictures.charset.characters == "0123"
        assert pictures.images.shape == (1, 8, 20, 1)
        assert folder.read(path, charset="digits", width=30).images.shape == (1, 8, 30, 1)


def test_manifests_of_others_are_passed_over(tmp_path):
    for i, data in enumerate([b"\xff", b"[]", b'{"length": 3}']):
        assert len(folder.read(_fill(tmp_path / str(i), {"11.png": _png(), "manifest.json": data})).names) == 1


def test_says_that_a_folder_is_incomplete_as_its_manifest_does(tmp_path, capsys):
    files = {"11.png": _png(), "manifest.json": _manifest(complete=False)}
    folder.read(_fill(tmp_path, files))
    assert "is incomplete according to manifest.json: it has 1 of 3 captchas." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(length="4"), r"manifest\.json: 'length' is '4', but must be of type int"),
        (dict(charset="00"), r"manifest\.json: charset='00': the character '0' appears twice"),
        (dict(length=50), r": length is 50, but must be from 1 to 40"),
    ],
)
def test_refuses_a_damaged_manifest(tmp_path, changed, message):
    with pytest.raises(UsageError, match=message):
        folder.read(_fill(tmp_path, {"11.png": _png(), "manifest.json": _manifest(**changed)}))


def test_folders_are_searched_as_for_any_pictures(tmp_path):
    files = {"set/01.png": _png(1), "set/__MACOSX/02.png": b"junk", "elsewhere/03.pgm": b"P5 16 6 255\n" + bytes(96)}
    _fill(tmp_path, files)
    for name in ("one", "two"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    assert folder.read(str(tmp_path / "set")).names == ["01.png", "03.pgm"]


def test_unreadable_pictures_are_skipped_up_to_the_limit(tmp_path, capsys):
    cut = _png(size=(160, 60), mode="RGB")[:60]
    path = _fill(tmp_path, {"00.png": b"", "01.png": b"no picture", "02.png": cut, "03.png": _png(3)})
    pictures = folder.read(path, max_bad_images=3)
    assert pictures.names == ["03.png"]
    np.testing.assert_array_equal(pictures.labels, [[0, 3]])
    assert "Skipped 3 unreadable of 4 pictures; first: 00.png (" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"has 3 unreadable pictures, the last 02\.png \(.*\), .*--max_bad_images=2 "):
        folder.read(path, max_bad_images=2)
    with pytest.raises(UsageError, match=r"--max_bad_images=0"):
        folder.read(path)


def test_nothing_readable(tmp_path):
    with pytest.raises(UsageError, match=r"has no readable picture"):
        folder.read(_fill(tmp_path, {"00.png": b""}), max_bad_images=5)


@pytest.mark.parametrize(
    ("names", "given", "message"),
    [
        (["12a4.png"], dict(charset="digits"), r"/12a4\.png: the label '12a4' has the character 'a'"),
        (
            ["1234.png", "2345.png", "s/123-4.png"],
            {},
            r"/s/123-4\.png: the label '123' has 3 characters, but must have 4",
        ),
        (["1234.png"], dict(length=5), r"/1234\.png: the label '1234' has 4 characters, but must have 5"),
        (["12.34.png"], {}, r"/12\.34\.png: the label '12\.34' has the character '\.', which ends a label"),
        (["-1.png"], {}, r"/-1\.png: the label '' has 0 characters, but must have 1"),
        (["1.png"], dict(length=0), r"^--length is 0, but must be from 1 to 40"),
        (["1.png"], dict(charset="11"), r"^--charset='11': the character '1' appears twice"),
    ],
)
def test_label_errors_name_the_file(tmp_path, names, given, message):
    with pytest.raises(UsageError, match=message):
        folder.read(_fill(tmp_path, {name: _png() for name in names}), **given)


def test_refuses_what_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"has no pictures: expected some, named like 0123\.png"):
        folder.read(str(tmp_path))
    with pytest.raises(UsageError, match=r"/none does not exist: expected a folder, or a zip or tar archive"):
        folder.read(str(tmp_path / "none"))
    (tmp_path / "a.tar").write_bytes(b"x" * 2000)
    with pytest.raises(
        UsageError, match=r"a\.tar is cut short, damaged or not an archive \(.*\): expected a complete tar"
    ):
        folder.read(str(tmp_path / "a.tar"))


def test_a_cut_archive_is_refused(tmp_path):
    data = open(_tar(tmp_path / "a.tar", {f"{i}.png": os.urandom(2000) for i in range(3)}), "rb").read()
    (tmp_path / "b.tar").write_bytes(data[:4000])
    with pytest.raises(UsageError, match=r"b.tar is cut short"):
        folder.read(str(tmp_path / "b.tar"))


@pytest.mark.skipif(not os.path.exists(_SHARED), reason="the real pictures are not there")
def test_real_pictures():
    source = folder.load(_SHARED)
    assert source.info == {"image_shape": [60, 160, 1], "charset": "0123456789", "length": 4}
    sizes = [len(split["images"]) for split in (source.train, source.test)]
    assert sum(sizes) == 3956
    assert 350 <= sizes[1] <= 440
