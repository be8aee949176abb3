"""Folders and archives as data sets: what is held out, kept, left out and refused."""

import hashlib
import io
import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from tf2cases.data import sources
from tf2cases.data.pictures import dataset, prepared, square
from tf2cases.errors import UsageError

COUNT = 60


def picture(index, size=(20, 16)):
    """A PNG of one colour that tells which it is."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (index % 256, index // 256, 200)).save(buffer, "PNG")
    return buffer.getvalue()


def names(count=COUNT):
    return [f"{'abc'[i % 3]}/{i:04d}.png" for i in range(count)]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "pictures"
    for i, name in enumerate(names()):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(picture(i))
    return path


def load(folder, **options):
    return sources.load("folder", str(folder), **{"size": 8, "cache_dir": str(folder.parent / "cache"), **options})


def indices(images):
    return images[:, 4, 4, 0].astype(int) + 256 * images[:, 4, 4, 1].astype(int)


def held_out(name):
    return int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) % 10 == 0


def test_every_picture_is_there_once(folder):
    loaded = load(folder)
    assert loaded.name == "folder"
    assert loaded.info == {"image_shape": [8, 8, 3]} == json.loads(json.dumps(loaded.info))
    ordered = sorted(names())
    expected = {s: [names().index(n) for n in ordered if held_out(n) == (s == "test")] for s in ("train", "test")}
    assert list(indices(loaded.train["images"])) == expected["train"]
    assert list(indices(loaded.test["images"])) == expected["test"]


def test_pixels_are_those_of_a_picture_alone(folder):
    rng = np.random.RandomState(0)
    pixels = rng.randint(0, 256, [24, 30, 3]).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "a" / "0000.png")
    expected = Image.fromarray(pixels[:, 3:27]).resize((8, 8), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(load(folder).train["images"][0], np.asarray(expected))
    assert not held_out("a/0000.png")


def test_an_archive_gives_what_its_folder_gives(folder, tmp_path):
    shutil.make_archive(str(tmp_path / "a"), "zip", folder)
    shutil.make_archive(str(tmp_path / "b"), "gztar", folder)
    expected = load(folder)
    for path in (tmp_path / "a.zip", tmp_path / "b.tar.gz"):
        loaded = load(path)
        for split in ("train", "test"):
            got, wanted = (sorted(indices(getattr(s, split)["images"])) for s in (loaded, expected))
            assert got == wanted


def test_a_tenth_is_held_out_whatever_else_is_there(folder):
    share = np.mean([dataset.is_held_out(f"{i:06d}.jpg") for i in range(10000)])
    assert 0.09 < share < 0.11
    before = set(indices(load(folder).test["images"]))
    for i in range(COUNT, 2 * COUNT):
        (folder / f"{i}.png").write_bytes(picture(i))
    after = load(folder)
    assert {i for i in indices(after.test["images"]) if i < COUNT} == before
    assert not set(indices(after.test["images"])) & set(indices(after.train["images"]))


def test_arrays_are_mapped_and_read_only(folder):
    for split in (load(folder).train, load(folder).test):
        assert isinstance(split["images"], np.memmap)
        assert not split["images"].flags.writeable


def test_second_time_decodes_nothing(folder, monkeypatch):
    first = load(folder)
    monkeypatch.setattr(square, "decode", lambda *args: pytest.fail("decoded again"))
    np.testing.assert_array_equal(load(folder).train["images"], first.train["images"])


@pytest.mark.parametrize("change", [dict(size=9), dict(channels=1), dict(crop="10")])
def test_other_arguments_are_prepared_apart(folder, change):
    first = np.array(load(folder).train["images"])
    load(folder, **change)
    np.testing.assert_array_equal(load(folder).train["images"], first)
    assert len(os.listdir(folder.parent / "cache" / "prepared")) == 2


def test_a_changed_picture_is_prepared_again(folder):
    load(folder)
    (folder / "a/0000.png").write_bytes(picture(999))
    assert indices(load(folder).train["images"])[0] == 999


def test_killed_half_way_starts_again(folder, monkeypatch):
    decode, calls = square.decode, []

    def dies(*args):
        calls.append(1)
        if len(calls) > 40:
            raise KeyboardInterrupt
        return decode(*args)

    monkeypatch.setattr(square, "decode", dies)
    with pytest.raises(KeyboardInterrupt):
        load(folder)
    (kept,) = (folder.parent / "cache" / "prepared").iterdir()
    assert prepared.MANIFEST not in os.listdir(kept)
    monkeypatch.setattr(square, "decode", decode)
    assert len(load(folder).train["images"]) + len(load(folder).test["images"]) == COUNT
    assert list((folder.parent / "cache" / "prepared").iterdir()) == [kept]


def test_crop_of_a_number_of_pixels(folder):
    assert load(folder, crop="16").info == {"image_shape": [8, 8, 3]}
    with pytest.raises(
        UsageError, match=r"--crop is 17, but .*pictures: [abc]/\d{4}.png has 20 x 16 pixels: expected at"
    ):
        load(folder, crop="17")


def test_channels_follow_the_pictures(folder):
    for i, name in enumerate(names()):
        Image.new("L", (20, 16), i).save(folder / name)
    loaded = load(folder, channels=None)
    assert loaded.info == {"image_shape": [8, 8, 1]}
    assert loaded.train["images"][0, 0, 0, 0] == 0
    assert load(folder, channels=3).info == {"image_shape": [8, 8, 3]}
    (folder / "z.png").write_bytes(picture(5))  # the last is in colour
    loaded = load(folder, channels=None)
    assert loaded.info == {"image_shape": [8, 8, 3]}
    assert len(loaded.train["images"]) + len(loaded.test["images"]) == COUNT + 1


def test_unreadable_pictures_are_left_out_up_to_a_number(folder, capsys, monkeypatch):
    for name in names()[3:7]:
        (folder / name).write_bytes(b"no picture")
    (folder / names()[8]).write_bytes(picture(8)[:-30])
    message = (
        r"pictures has 5 unreadable among 60 pictures, a/0003.png \(this is not a picture\), "
        r"a/0006.png \(this is not a picture\), b/0004.png \(this is not a picture\), ..., but at most "
        r"--max_bad_images=4 are left out"
    )
    with pytest.raises(UsageError, match=message):
        load(folder, max_bad_images=4)
    # All are counted before the message, and what is prepared serves the next try.
    monkeypatch.setattr(square, "decode", lambda *args: pytest.fail("decoded again"))
    loaded = load(folder, max_bad_images=5)
    found = {*indices(loaded.train["images"]), *indices(loaded.test["images"])}
    assert found == set(range(COUNT)) - {3, 4, 5, 6, 8}
    assert "Left out 5 unreadable pictures: a/0003.png (this is not a picture)" in capsys.readouterr().out


def test_unreadable_members_are_left_out(folder, tmp_path):
    data = picture(1)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names():
            archive.writestr(name, picture(names().index(name)))
        archive.writestr("bad.png", data)
    whole = bytearray((tmp_path / "a.zip").read_bytes())
    whole[whole.rindex(b"IDAT", 0, whole.index(b"bad.png", whole.index(b"bad.png") + 1))] ^= 1
    (tmp_path / "a.zip").write_bytes(whole)
    with pytest.raises(UsageError, match=r"a.zip has 1 unreadable among 61 pictures, bad.png \(Bad CRC-32"):
        load(tmp_path / "a.zip")
    assert len(load(tmp_path / "a.zip", max_bad_images=1).train["images"])


def test_says_once_that_it_prepares_even_if_colours_make_it_start_over(tmp_path, capsys):
    path = tmp_path / "set"
    path.mkdir()
    for i in range(COUNT):
        mode, colour = ("RGB", (255, 0, 0)) if i == COUNT - 1 else ("L", 90)
        Image.new(mode, (10, 10), colour).save(path / f"{i:03d}.png")
    assert load(path, channels=None).info["image_shape"][2] == 3
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == f"Preparing {COUNT} pictures from {path}."
    assert second.startswith("Prepared in ")
    assert third.startswith(f"{COUNT} pictures from {path}: ")


def test_says_how_many_there_are(folder, capsys):
    loaded = load(folder)
    train, test = len(loaded.train["images"]), len(loaded.test["images"])
    assert f"60 pictures from {folder}: {train} for training, {test} held out." in capsys.readouterr().out


def test_mixed_kinds_of_files(tmp_path):
    path = tmp_path / "mixed"
    path.mkdir()
    for i in range(COUNT):
        mode = ("RGB", "L", "CMYK", "RGBA", "P", "1")[i % 6]
        kind = "JPEG" if mode == "CMYK" else "PNG"
        Image.new("RGB", (10 + i, 40 - i // 2), (255, 0, 0)).convert(mode).save(path / f"{i}.jpg", kind)
    Image.new("P", (20, 20)).save(path / "still.gif")
    loaded = load(path)
    assert len(loaded.train["images"]) + len(loaded.test["images"]) == COUNT + 1


def test_an_animation_is_unreadable(folder):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(UsageError, match=r"1 unreadable .*animated.gif \(the picture has 3 frames instead of one\)"):
        load(folder)
    assert len(load(folder, max_bad_images=1).train["images"])


@pytest.mark.parametrize(
    ("options", "message"),
    [(dict(size=1), "--size is 1, but must be from 4"), (dict(crop="big"), "--crop is 'big', but must be none or")],
)
def test_refuses_arguments(folder, options, message):
    with pytest.raises(UsageError, match=message):
        load(folder, **options)


def test_refuses_what_is_not_there(tmp_path):
    with pytest.raises(
        UsageError, match=r"--data_dir is '.*nowhere', but must be a folder of pictures, or a zip or tar"
    ):
        load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"--data_dir is '', but must be"):
        sources.load("folder", "")


def test_refuses_a_folder_where_nothing_is_readable(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"set has no readable picture among 1: a.png \(the file is empty\)"):
        load(tmp_path / "set", max_bad_images=10)


def test_refuses_too_few_to_hold_some_out(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(picture(1))
    with pytest.raises(UsageError, match=r"set has 1 picture, which is too few: a tenth .* and none of these is; it"):
        load(tmp_path / "set")
