"""Generated sets: a function of the seed alone, kept on disk, and gone on with after an interruption."""

import json
import os

import numpy as np
import pytest

from tf2cases.data import sources
from tf2cases.data.captchas import dataset as captcha
from tf2cases.data.captchas import drawing as captcha_pictures
from tf2cases.data.captchas import workers as captcha_workers
from tf2cases.errors import RunError, UsageError

_ARGUMENTS = dict(charset="digits", length=4, width=160, height=60, seed=3)
_SMALL = dict(charset="abc", length=2, width=60, height=30, test_count=5, workers=1)


def test_generate_gives_grey_pictures_and_their_classes():
    images, labels = captcha.generate(**_ARGUMENTS, first=0, count=6, workers=2)
    assert (images.shape, images.dtype) == ((6, 60, 160, 1), np.uint8)
    assert (labels.shape, labels.dtype) == ((6, 4), np.uint8)
    kind = captcha.make_kind(**_ARGUMENTS, stream="train")
    assert ["".join(map(str, row)) for row in labels] == [kind.text(i) for i in range(6)]
    assert images.std(axis=(1, 2, 3)).min() > 2  # there is something in each


def test_generate_from_anywhere_in_a_set():
    images, labels = captcha.generate(**_ARGUMENTS, first=0, count=6)
    later, later_labels = captcha.generate(**_ARGUMENTS, first=4, count=2)
    np.testing.assert_array_equal(images[4:], later)
    np.testing.assert_array_equal(labels[4:], later_labels)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(length=0), r"--length is 0"),
        (dict(charset="aa"), r"'a' appears twice"),
        (dict(width=50), r"--width is 50, but must be from 60"),
        (dict(charset="中"), r"font cannot draw it"),
    ],
)
def test_generate_checks_its_arguments(changed, message):
    with pytest.raises(UsageError, match=message):
        captcha.generate(**{**_ARGUMENTS, **changed}, first=0, count=1)


def test_load_is_a_source_that_generate_agrees_with(tmp_path):
    source = sources.load("captcha", str(tmp_path), train_count=12, seed=7, **_SMALL)
    assert source.info == {"image_shape": [30, 60, 1], "charset": "abc", "length": 2}
    assert json.loads(json.dumps(source.info)) == source.info
    images, labels = captcha.generate("abc", 2, 60, 30, 7, 0, 12)
    np.testing.assert_array_equal(source.train["images"], images)
    np.testing.assert_array_equal(source.train["labels"], labels)
    assert source.test["images"].shape == (5, 30, 60, 1)


def test_training_never_draws_the_test_set(tmp_path, monkeypatch):
    drawn = []
    start = captcha_pictures.Draws.start

    def remember(self, *key):
        drawn.append(key)
        start(self, *key)

    monkeypatch.setattr(captcha_pictures.Draws, "start", remember)
    tests = []
    for seed in (captcha.TEST_SEED, 1):
        source = captcha.load(str(tmp_path), seed=seed, train_count=20, **_SMALL)
        tests.append(source.test["images"].tobytes())
        pictures = {image.tobytes() for image in source.train["images"]}
        assert not pictures & {image.tobytes() for image in source.test["images"]}
    assert tests[0] == tests[1]  # whatever the seed of training
    keys = {stream: {key for key in drawn if key[0] == stream} for stream, _, _ in drawn}
    assert {stream: len(of) for stream, of in keys.items()} == {"train": 40, "test": 5}


def _files(folder):
    return {name: (folder / name).read_bytes() for name in os.listdir(folder) if name.endswith(".u8")}


def test_goes_on_where_a_killed_run_stopped(tmp_path, monkeypatch):
    captcha.load(str(tmp_path), train_count=20, **_SMALL)
    [folder] = tmp_path.iterdir()
    whole = _files(folder)
    with open(folder / "train-seed0.u8", "r+b") as file:
        file.truncate(7 * 1800 + 1000)  # seven pictures and a part of the eighth
    asked = []
    draw = captcha_workers.Workers.draw

    def remember(self, kind, first, count, form):
        asked.append((kind.stream, first, count))
        return draw(self, kind, first, count, form)

    monkeypatch.setattr(captcha_workers.Workers, "draw", remember)
    captcha.load(str(tmp_path), train_count=20, **_SMALL)
    assert _files(folder) == whole
    assert asked == [("train", 7, 13)]


def test_a_larger_set_begins_with_the_smaller(tmp_path, capsys):
    small = captcha.load(str(tmp_path), train_count=4, **_SMALL).train["images"].copy()
    large = captcha.load(str(tmp_path), train_count=9, **_SMALL).train["images"]
    np.testing.assert_array_equal(large[:4], small)
    capsys.readouterr()
    again = captcha.load(str(tmp_path), train_count=4, **_SMALL).train["images"]
    np.testing.assert_array_equal(again, small)
    assert capsys.readouterr().out == ""  # nothing was drawn


def test_a_complete_set_is_only_read(tmp_path, monkeypatch):
    captcha.load(str(tmp_path), train_count=4, **_SMALL)
    monkeypatch.setattr(captcha, "Workers", None)
    captcha.load(str(tmp_path), train_count=4, **_SMALL)


def test_other_parameters_have_another_folder(tmp_path):
    captcha.load(str(tmp_path), train_count=2, **_SMALL)
    captcha.load(str(tmp_path), train_count=2, **{**_SMALL, "charset": "abd"})
    captcha.load(str(tmp_path), train_count=2, **{**_SMALL, "height": 31})
    assert len(list(tmp_path.iterdir())) == 3


def test_a_full_disk_keeps_what_is_there(tmp_path, monkeypatch):
    draw = captcha_workers.Workers.draw

    def full(self, *arguments):
        for i, picture in enumerate(draw(self, *arguments)):
            if i == 5:
                raise OSError(28, "No space left on device")
            yield picture

    with monkeypatch.context() as patched:
        patched.setattr(captcha_workers.Workers, "draw", full)
        with pytest.raises(RunError, match=r"train-seed0\.u8: drawing captchas stopped \(No space left on device\)"):
            captcha.load(str(tmp_path), train_count=20, **_SMALL)
    [folder] = tmp_path.iterdir()
    assert os.path.getsize(folder / "train-seed0.u8") == 5 * 1800
    source = captcha.load(str(tmp_path), train_count=20, **_SMALL)
    np.testing.assert_array_equal(source.train["images"], captcha.generate("abc", 2, 60, 30, 0, 0, 20)[0])


@pytest.mark.parametrize("name", ["train_count", "test_count", "workers"])
def test_refuses_less_than_one(tmp_path, name):
    with pytest.raises(UsageError, match=rf"--{name} is 0, but must be at least 1"):
        captcha.load(str(tmp_path), **{**_SMALL, "train_count": 2, name: 0})


def test_folders_are_a_source_too(tmp_path):
    with pytest.raises(UsageError, match=r"has no pictures"):
        sources.load("captcha_folder", str(tmp_path), max_bad_images=3)
