"""What is made once: whole or absent, whoever is killed or comes at the same time."""

import fcntl
import json
import os
import threading

import numpy as np
import pytest

from tf2cases.data.pictures import prepared
from tf2cases.errors import RunError, UsageError

TRAIN = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
TEST = np.full([1, 3, 4], 7, np.uint8)


def make(writer):
    writer.add("train", TRAIN[:1])
    writer.add("test", TEST)
    writer.add("train", TRAIN[1:])
    return {"image_shape": [3, 4], "note": "\udcff ä"}


def not_again(writer):
    pytest.fail("made it again")


def folder_of(tmp_path):
    (folder,) = (tmp_path / "prepared").iterdir()
    return folder


def test_gives_what_was_made(tmp_path):
    got = prepared.load(tmp_path, "x", {"a": 1}, make)
    np.testing.assert_array_equal(got.splits["train"], TRAIN)
    np.testing.assert_array_equal(got.splits["test"], TEST)
    assert got.facts == {"note": "\udcff ä"}
    assert folder_of(tmp_path).name.startswith("x-")


def test_is_mapped_and_read_only(tmp_path):
    images = prepared.load(tmp_path, "x", 1, make).splits["train"]
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_is_made_once(tmp_path):
    prepared.load(tmp_path, "x", 1, make)
    got = prepared.load(tmp_path, "x", 1, not_again)
    np.testing.assert_array_equal(got.splits["train"], TRAIN)
    assert got.facts == {"note": "\udcff ä"}


def test_another_key_is_another_folder(tmp_path):
    made = []
    for key in ({"size": 64}, {"size": 32}, {"size": 64}):
        prepared.load(tmp_path, "x", key, lambda writer: made.append(1) or make(writer))
    assert len(made) == 2
    assert len(list((tmp_path / "prepared").iterdir())) == 2


def test_what_fails_half_way_does_not_look_whole(tmp_path):
    def half(writer):
        make(writer)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared.load(tmp_path, "x", 1, half)
    assert not (folder_of(tmp_path) / prepared.MANIFEST).exists()
    assert os.path.getsize(folder_of(tmp_path) / "train.u8") == 0
    np.testing.assert_array_equal(prepared.load(tmp_path, "x", 1, make).splits["train"], TRAIN)


def test_what_a_killed_process_left_is_made_anew(tmp_path):
    prepared.load(tmp_path, "x", 1, make)
    folder = folder_of(tmp_path)
    for leave in (
        lambda: os.remove(folder / prepared.MANIFEST),
        lambda: os.truncate(folder / "train.u8", 5),
        lambda: (folder / prepared.MANIFEST).write_text('{"counts": {"train"'),
        lambda: (folder / prepared.MANIFEST).write_text("[]"),
    ):
        leave()
        (folder / f"{prepared.MANIFEST}.partial").write_text("{")
        made = []
        got = prepared.load(tmp_path, "x", 1, lambda writer, made=made: made.append(1) or make(writer))
        np.testing.assert_array_equal(got.splits["train"], TRAIN)
        assert made == [1]
    assert folder_of(tmp_path) == folder  # the same one


def test_manifest_comes_last_and_says_what_is_there(tmp_path):
    def watched(writer):
        assert not (folder_of(tmp_path) / prepared.MANIFEST).exists()
        return make(writer)

    prepared.load(tmp_path, "x", 1, watched)
    manifest = json.loads((folder_of(tmp_path) / prepared.MANIFEST).read_text(errors="surrogateescape"))
    assert manifest["counts"] == {"train": 2, "test": 1}
    assert manifest["image_shape"] == [3, 4]
    assert manifest["format"] == prepared.FORMAT


def test_second_process_waits_for_the_first(tmp_path, monkeypatch, capsys):
    prepared.load(tmp_path, "x", 1, make)
    folder = folder_of(tmp_path)
    whole = (folder / prepared.MANIFEST).read_text(errors="surrogateescape")
    os.remove(folder / prepared.MANIFEST)
    waits = threading.Event()
    real = fcntl.flock

    def flock(file, how):
        if not how & fcntl.LOCK_NB:
            waits.set()
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with open(folder / ".lock", "a+") as first:
        real(first, fcntl.LOCK_EX)
        got = []
        second = threading.Thread(target=lambda: got.append(prepared.load(tmp_path, "x", 1, not_again)))
        second.start()
        assert waits.wait(10)
        assert not got
        (folder / prepared.MANIFEST).write_text(whole, errors="surrogateescape")
    second.join(10)
    np.testing.assert_array_equal(got[0].splits["train"], TRAIN)
    assert "Waiting for another process" in capsys.readouterr().out


def test_clear_forgets(tmp_path):
    def twice(writer):
        make(writer)
        writer.clear()
        return make(writer)

    np.testing.assert_array_equal(prepared.load(tmp_path, "x", 1, twice).splits["train"], TRAIN)


def test_empty_split(tmp_path):
    def only_train(writer):
        writer.add("train", TRAIN)
        return {"image_shape": [3, 4]}

    assert prepared.load(tmp_path, "x", 1, only_train).splits["test"].shape == (0, 3, 4)


def test_full_disk_is_one_sentence(tmp_path):
    def full(writer):
        raise OSError(28, "No space left on device")

    with pytest.raises(
        RunError, match=r"x-\w+: preparing the pictures stopped \(No space left on device\); the next run"
    ):
        prepared.load(tmp_path, "x", 1, full)


def test_refuses_a_place_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UsageError, match=r"--cache_dir is '.*file', but .* cannot be created or written to \(Not a directory"
    ):
        prepared.load(str(tmp_path / "file"), "x", 1, make)


@pytest.mark.parametrize("name", ["train.u8", "test.u8", prepared.MANIFEST])
def test_any_flipped_byte_is_noticed_and_the_pictures_are_made_anew(tmp_path, capsys, name):
    prepared.load(tmp_path, "x", 1, make)
    path = folder_of(tmp_path) / name
    whole = path.read_bytes()
    for position in range(0, len(whole), 1 if len(whole) < 100 else 23):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        np.testing.assert_array_equal(prepared.load(tmp_path, "x", 1, make).splits["train"], TRAIN)
        assert (path.parent / f"damaged_{name}").read_bytes() == damaged
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith(f"warning: {path} is damaged (")
        assert line.endswith(f"; it is kept as {path.parent / f'damaged_{name}'} and written again.")
        assert path.read_bytes() == whole
    np.testing.assert_array_equal(prepared.load(tmp_path, "x", 1, not_again).splits["train"], TRAIN)


def test_making_anew_leaves_pictures_in_use_alone(tmp_path):
    used = prepared.load(tmp_path, "x", 1, make).splits["train"]
    (folder_of(tmp_path) / "test.u8").write_bytes(bytes(12))

    def other(writer):
        writer.add("train", TRAIN + 1)
        writer.add("test", TEST)
        return {"image_shape": [3, 4]}

    prepared.load(tmp_path, "x", 1, other)
    np.testing.assert_array_equal(used, TRAIN)


def test_a_cache_folder_may_start_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    prepared.load("~/cache", "x", 1, make)
    assert os.listdir(tmp_path) == ["cache"]
