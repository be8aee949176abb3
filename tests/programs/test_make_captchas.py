"""The program that makes folders of captchas."""

import json
import os

import numpy as np
import pytest
from absl import flags
from PIL import Image

from tf2cases.data.captchas import folder
from tf2cases.errors import RunError, UsageError
from tf2cases.programs import make_captchas


def _make(out, **given):
    values = flags.FlagValues()
    make_captchas.define(values)
    given = {"out": out, "count": 23, "workers": 1, **given}
    values(["make_captchas", *(f"--{name}={value}" for name, value in given.items())])
    return make_captchas.main(values)


def _contents(place):
    return {name: (place / name).read_bytes() for name in os.listdir(place)}


def test_same_seed_same_bytes_whatever_the_workers(tmp_path, capsys):
    _make(tmp_path / "a", count=60)
    _make(tmp_path / "b", count=60, workers=3)
    _make(tmp_path / "c", count=60, seed=1)
    a, b, c = (_contents(tmp_path / name) for name in "abc")
    assert a == b
    assert len(a) == 61  # with the manifest
    assert not {name for name in a if name[0].isdigit()} & set(c)
    assert "60 captchas in" in capsys.readouterr().out


def test_names_sizes_and_manifest(tmp_path):
    _make(tmp_path, charset="aB7", length=3, width=90, height=40, seed=5)
    names = sorted(name for name in os.listdir(tmp_path) if "-" in name)
    assert sorted(int(name[4:9]) for name in names) == list(range(23))
    assert all(set(name[:3]) <= set("aB7") and name[3] == "-" and name[9:] == ".png" for name in names)
    with Image.open(tmp_path / names[0]) as image:
        assert (image.size, image.mode, image.format) == ((90, 40), "RGB", "PNG")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    versions = manifest.pop("versions")
    assert set(versions) == {"captcha", "pillow"}
    assert manifest == {
        "kind": "captchas",
        "charset": "aB7",
        "length": 3,
        "width": 90,
        "height": 40,
        "seed": 5,
        "count": 23,
        "complete": True,
    }


def test_reads_back(tmp_path):
    _make(tmp_path, charset="aB7", length=3, width=90)
    pictures = folder.read(str(tmp_path))
    assert pictures.charset.characters == "aB7"
    assert pictures.images.shape == (23, 60, 90, 1)
    assert pictures.names == sorted(name for name in os.listdir(tmp_path) if "-" in name)
    with Image.open(tmp_path / pictures.names[0]) as image:
        np.testing.assert_array_equal(pictures.images[0, ..., 0], np.asarray(image.convert("L")))


@pytest.mark.parametrize("count", [1, 23])
def test_contact_sheet(tmp_path, count):
    _make(tmp_path, count=count)
    with Image.open(f"{tmp_path}_contact_sheet.png") as sheet:
        # Rows of ceil(sqrt(20)) = 5 pictures of 160x60, or one.
        assert sheet.width >= 160 * min(count, 5)
        assert sheet.height >= 60 * min(count, 4)


def test_a_folder_with_files_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match=r"--out=.* has 1 file, but must be empty or new; --overwrite replaces"):
        _make(tmp_path)


def test_overwrite_removes_ours_only(tmp_path):
    _make(tmp_path, charset="ab", length=2)
    kept = {"mine.txt": b"x", "0123.png": b"y", "ab.png": b"z", "zz-00001.png": b"zz"}
    for name, data in kept.items():
        (tmp_path / name).write_bytes(data)
    _make(tmp_path, count=3, overwrite=True)
    contents = _contents(tmp_path)
    assert {name: contents.pop(name) for name in kept} == kept
    assert len(contents) == 4


def test_what_a_killed_run_left_is_removed(tmp_path):
    _make(tmp_path, charset="ab", length=2)
    (tmp_path / ".ab-00023.png.0123abcd.partial").write_bytes(b"half")
    (tmp_path / ".manifest.json.0123abcd.partial").write_bytes(b"half")
    _make(tmp_path, count=3, overwrite=True)
    assert len(os.listdir(tmp_path)) == 4
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".partial")]


def test_overwrite_refuses_a_manifest_of_others(tmp_path):
    (tmp_path / "manifest.json").write_bytes(b"{}")
    with pytest.raises(
        UsageError, match=r"has a file manifest.json that was not written by this program: expected ano"
    ):
        _make(tmp_path, overwrite=True)
    assert (tmp_path / "manifest.json").read_bytes() == b"{}"


def test_every_picture_in_the_folder_is_a_captcha(tmp_path):
    _make(tmp_path / "a", count=3)
    assert len(list((tmp_path / "a").glob("*.png"))) == 3
    assert all(folder.label_of(path.name).isdigit() for path in (tmp_path / "a").glob("*.png"))
    assert sorted(os.listdir(tmp_path)) == ["a", "a_contact_sheet.png"]


def test_a_slash_at_the_end_of_out_makes_no_difference(tmp_path):
    _make(f"{tmp_path}/a/", count=1)
    assert sorted(os.listdir(tmp_path)) == ["a", "a_contact_sheet.png"]


def test_overwrite_removes_the_contact_sheet_that_an_older_version_left_in_the_folder(tmp_path):
    _make(tmp_path, count=3)
    (tmp_path / "contact_sheet.png").write_bytes(b"older")
    _make(tmp_path, count=3, overwrite=True)
    assert "contact_sheet.png" not in os.listdir(tmp_path)
    assert len(os.listdir(tmp_path)) == 4


def test_a_contact_sheet_beside_a_new_folder_is_replaced_only_with_overwrite(tmp_path):
    sheet = tmp_path / "a_contact_sheet.png"
    sheet.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"would get the contact sheet .*a_contact_sheet.png, which exists; --ov"):
        _make(tmp_path / "a", count=1)
    assert sheet.read_bytes() == b"mine"
    assert not (tmp_path / "a").exists()
    _make(tmp_path / "a", count=1, overwrite=True)
    assert sheet.read_bytes()[:4] == b"\x89PNG"


def test_out_is_a_file(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(UsageError, match=r"--out=.*/a is a file, but must be a folder"):
        _make(tmp_path / "a")


def test_a_full_disk_leaves_whole_files_and_says_so(tmp_path, monkeypatch):
    replace, made = os.replace, []

    def full(source, target):
        if str(target).endswith(".png"):
            if len(made) == 7:
                raise OSError(28, "No space left on device")
            made.append(target)
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(
            RunError, match=r"stopped after 7 of 23 captchas \(No space left on device\); .*\"complete\": false"
        ):
            _make(tmp_path)
    assert len(os.listdir(tmp_path)) == 8
    assert json.loads((tmp_path / "manifest.json").read_text())["complete"] is False
    assert folder.read(str(tmp_path)).images.shape == (7, 60, 160, 1)
    _make(tmp_path, overwrite=True)
    assert len(os.listdir(tmp_path)) == 24


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(charset="010"), r"'0' appears twice"),
        (dict(charset="ab-"), r"'-' ends a label or is not allowed in file names"),
        (dict(charset="a.b"), r"'\.' ends a label"),
        (dict(charset="a/b"), r"'/' ends a label"),
        (dict(charset="a b"), r"' ' is white space"),
        (dict(charset="a\tb"), r"'\\t' is white space or a control character"),
        (dict(charset="a中"), r"font cannot draw it"),
        (dict(length=0), r"--length is 0, but must be from 1"),
        (dict(length=11), r"--width is 160, but must be from 165 to 4096 for 11 characters"),
        (dict(height=20), r"--height is 20, but must be from 30"),
        (dict(count=0), r"--count is 0, but must be at least 1"),
        (dict(workers=0), r"--workers is 0, but must be at least 1"),
    ],
)
def test_refuses_what_cannot_be_made_before_touching_the_folder(tmp_path, given, message):
    with pytest.raises(UsageError, match=message):
        _make(tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()
