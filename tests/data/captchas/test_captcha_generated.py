"""Generated sets: a function of the seed alone, kept on disk, and gone on with after an interruption."""

import json
import os
import secrets

import captcha.image
import numpy as np
import pytest

from tf2cases.data.captchas import drawing, generated, workers
from tf2cases.errors import RunError, UsageError

_FORM = dict(charset="abc", length=2, width=60, height=30, workers=1)
_BYTES = 30 * 60  # of a picture


def load(cache_dir, count, stream=generated.TRAIN_STREAM, seed=0, **changed):
    return generated.load(str(cache_dir), stream, seed, count, **{**_FORM, **changed})


def test_gives_grey_pictures_and_their_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(captcha.image, "secrets", secrets)  # `drawer` replaces it; put back after the test
    form = dict(charset="digits", length=4, width=160, height=60)
    made = generated.load(str(tmp_path), "train", 3, 6, **form, workers=2)
    assert (made["images"].shape, made["images"].dtype) == ((6, 60, 160, 1), np.uint8)
    assert (made["labels"].shape, made["labels"].dtype) == ((6, 4), np.uint8)
    kind = generated.make_kind(**form, stream="train", seed=3)
    assert ["".join(map(str, row)) for row in made["labels"]] == [kind.text(i) for i in range(6)]
    assert made["images"].std(axis=(1, 2, 3)).min() > 2  # there is something in each
    draw = drawing.drawer(kind)
    assert [image.tobytes() for image in made["images"]] == [draw(i, "grey")[1] for i in range(6)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(length=0), r"^--length is 0"),
        (dict(charset="aa"), r"^--charset='aa': the character 'a' appears twice"),
        (dict(width=20), r"^--width is 20, but must be from 30"),
        (dict(charset="中"), r"^--charset has the character '中', but .* font cannot draw it"),
    ],
)
def test_arguments_are_checked_as_flags(tmp_path, changed, message):
    with pytest.raises(UsageError, match=message):
        load(tmp_path, 1, **changed)


def test_training_never_draws_the_test_set(tmp_path, monkeypatch):
    drawn = []
    start = drawing.Draws.start

    def remember(self, *key):
        drawn.append(key)
        start(self, *key)

    monkeypatch.setattr(drawing.Draws, "start", remember)
    test = {image.tobytes() for image in load(tmp_path, 5, generated.TEST_STREAM, generated.TEST_SEED)["images"]}
    for seed in (generated.TEST_SEED, 1):
        assert not test & {image.tobytes() for image in load(tmp_path, 20, seed=seed)["images"]}
    keys = {stream: {key for key in drawn if key[0] == stream} for stream, _, _ in drawn}
    assert {stream: len(of) for stream, of in keys.items()} == {"train": 40, "test": 5}


def _files(folder):
    return {name: (folder / name).read_bytes() for name in os.listdir(folder) if name.endswith(".u8")}


def test_goes_on_where_a_killed_run_stopped(tmp_path, monkeypatch):
    load(tmp_path, 20)
    [folder] = tmp_path.iterdir()
    whole = _files(folder)
    os.truncate(folder / "train-seed0.u8", 7 * _BYTES + 1000)  # seven pictures and a part of the eighth
    asked = []
    draw = workers.Workers.draw

    def remember(self, kind, first, count, form):
        asked.append((kind.stream, first, count))
        return draw(self, kind, first, count, form)

    monkeypatch.setattr(workers.Workers, "draw", remember)
    load(tmp_path, 20)
    assert _files(folder) == whole
    assert asked == [("train", 7, 13)]


def test_a_larger_set_begins_with_the_smaller(tmp_path, capsys):
    small = load(tmp_path, 4)["images"].copy()
    large = load(tmp_path, 9)["images"]
    np.testing.assert_array_equal(large[:4], small)
    capsys.readouterr()
    np.testing.assert_array_equal(load(tmp_path, 4)["images"], small)
    assert capsys.readouterr().out == ""  # nothing was drawn


def test_a_complete_set_is_only_read(tmp_path, monkeypatch):
    load(tmp_path, 4)
    monkeypatch.setattr(generated, "Workers", None)
    load(tmp_path, 4)


def test_other_parameters_have_another_folder(tmp_path):
    load(tmp_path, 2)
    load(tmp_path, 2, charset="abd")
    load(tmp_path, 2, height=31)
    assert len(list(tmp_path.iterdir())) == 3
    for folder in tmp_path.iterdir():
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        assert set(about["versions"]) == {"captcha", "pillow"}


def test_a_full_disk_keeps_what_is_there(tmp_path, monkeypatch):
    draw = workers.Workers.draw

    def full(self, *arguments):
        for i, picture in enumerate(draw(self, *arguments)):
            if i == 5:
                raise OSError(28, "No space left on device")
            yield picture

    with monkeypatch.context() as patched:
        patched.setattr(workers.Workers, "draw", full)
        with pytest.raises(RunError, match=r"train-seed0\.u8: drawing captchas stopped \(No space left on device\)"):
            load(tmp_path, 20)
    [folder] = tmp_path.iterdir()
    assert os.path.getsize(folder / "train-seed0.u8") == 5 * _BYTES
    expected = load(tmp_path / "other", 20)["images"]
    np.testing.assert_array_equal(load(tmp_path, 20)["images"], expected)


def flip(path, position):
    """Changes one bit of a file, and not its size or times."""
    times = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 16]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("name", "position", "why"),
    [
        ("train-seed0.u8", 0, "the checksum of captcha 0 does not match"),
        ("train-seed0.u8", 4 * _BYTES - 1, "the checksum of captcha 3 does not match"),
        ("train-seed0.crc32", 9, "the checksum of captcha 2 does not match"),
        ("about.json", 30, "it does not say what the folder's name stands for"),
    ],
)
def test_a_damaged_cache_is_set_aside_and_drawn_anew(tmp_path, capsys, name, position, why):
    whole = load(tmp_path, 4)["images"].copy()
    [folder] = tmp_path.iterdir()
    about = (folder / "about.json").read_text(encoding="utf-8")
    flip(folder / name, position)
    capsys.readouterr()
    np.testing.assert_array_equal(load(tmp_path, 4)["images"], whole)
    named = name.replace("crc32", "u8")
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == (
        f"warning: {folder / named} is damaged ({why}); it is kept as {folder / f'damaged_{named}'} and written again."
    )
    assert (folder / f"damaged_{named}").exists()
    assert (folder / "about.json").read_text(encoding="utf-8") == about
    np.testing.assert_array_equal(load(tmp_path, 4)["images"], whole)
    assert capsys.readouterr().out == ""


def test_pictures_without_checksums_are_drawn_anew(tmp_path):
    whole = load(tmp_path, 4)["images"].copy()
    [folder] = tmp_path.iterdir()
    os.remove(folder / "train-seed0.crc32")
    flip(folder / "train-seed0.u8", 5)
    np.testing.assert_array_equal(load(tmp_path, 4)["images"], whole)


def test_a_cache_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"^--cache_dir is '.*file', but .* cannot be created or written to"):
        load(tmp_path / "file", 1)


def test_a_cache_folder_may_start_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    load("~/cache", 1)
    assert os.listdir(tmp_path) == ["cache"]
