"""Drawn faces: functions of (stream, seed, index), varied, and kept."""

import numpy as np
import pytest
from PIL import Image

from tf2cases.data import sources
from tf2cases.data.toy_faces import dataset, drawing


@pytest.fixture(scope="module")
def faces():
    return dataset.generate("train", 0, 0, 64)


def test_picture_depends_on_its_index_only(faces):
    np.testing.assert_array_equal(dataset.generate("train", 0, 10, 3), faces[10:13])
    np.testing.assert_array_equal(dataset.generate("train", 0, 63, 1), faces[63:])


@pytest.mark.parametrize(("stream", "seed"), [("test", 0), ("train", 1)])
def test_streams_and_seeds_share_nothing(faces, stream, seed):
    other = dataset.generate(stream, seed, 0, 64)
    assert not {face.tobytes() for face in other} & {face.tobytes() for face in faces}
    assert len({face.tobytes() for face in faces}) == 64


def test_numbers_are_uniform():
    numbers = dataset.uniform("train", 0, 0, 500)
    assert numbers.shape == (500, drawing.DRAWS)
    assert 0 <= numbers.min() < 0.001
    assert 0.999 < numbers.max() < 1
    # 500 * 128 numbers: five standard errors of the mean are 0.0057, of a correlation of neighbours 0.02.
    assert abs(numbers.mean() - 0.5) < 0.0057
    for first, second in ((numbers[1:], numbers[:-1]), (numbers[:, 1:], numbers[:, :-1])):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02


def test_edges_are_smooth_at_any_size(faces):
    large = dataset.generate("train", 0, 0, 16, size=256)
    reduced = large.reshape(16, 64, 4, 64, 4, 3).mean((2, 4))
    # 2.5; with pixels that a shape covers either whole or not at all it is 10.
    assert np.sqrt(np.mean((reduced - faces[:16]) ** 2)) < 4


def test_faces_are_varied(faces):
    # Of the centre, where there is skin, of the corners, where there is background, and of the picture everywhere.
    assert faces[:, 36:44, 26:38].mean((1, 2)).std(0).min() > 25
    assert faces[:, :6, :6].mean((1, 2)).std(0).min() > 25
    assert faces.std(0).mean() > 40
    # Skin is red before green before blue, mostly even in blue light.
    red, green, blue = faces[:, 36:44, 26:38].mean((1, 2)).T
    assert ((red > green) & (green > blue)).mean() > 0.8


def test_grey_is_that_of_pillow(faces):
    expected = [np.asarray(Image.fromarray(face).convert("L")) for face in faces[:4]]
    np.testing.assert_array_equal(drawing.to_grey(faces[:4])[..., 0], expected)


def load(tmp_path, **options):
    options = {"train_count": 70, "test_count": 5, "size": 64, **options}
    return sources.load("toy_faces", "", cache_dir=str(tmp_path), **options)


def test_data_set(tmp_path, faces):
    loaded = load(tmp_path)
    assert loaded.name == "toy_faces"
    assert loaded.info == {"image_shape": [64, 64, 3]}
    assert loaded.train["images"].shape == (70, 64, 64, 3)
    assert isinstance(loaded.train["images"], np.memmap)
    assert not loaded.train["images"].flags.writeable
    np.testing.assert_array_equal(loaded.train["images"][:64], faces)
    np.testing.assert_array_equal(loaded.test["images"], dataset.generate("test", 0, 0, 5))


def test_is_drawn_once(tmp_path, monkeypatch):
    first = load(tmp_path)
    monkeypatch.setattr(drawing, "draw", lambda *args: pytest.fail("drawn again"))
    np.testing.assert_array_equal(load(tmp_path).train["images"], first.train["images"])


def test_seed_changes_what_is_trained_on_and_not_the_test(tmp_path):
    first, second = load(tmp_path, size=16), load(tmp_path, size=16, seed=1)
    assert (first.train["images"] != second.train["images"]).any((1, 2, 3)).all()
    np.testing.assert_array_equal(first.test["images"], second.test["images"])


def test_grey_faces(tmp_path):
    loaded = load(tmp_path, channels=1, size=16)
    assert loaded.info == {"image_shape": [16, 16, 1]}
    np.testing.assert_array_equal(loaded.test["images"], drawing.to_grey(load(tmp_path, size=16).test["images"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(train_count=0), "^train_count is 0, but must be at least 1"),
        (dict(test_count=0), "^test_count is 0, but must be at least 1"),
        (dict(seed=-1), "^seed is -1, but must be at least 0"),
        (dict(size=2000), "^--size is 2000, but must be from 4 to 1024"),
    ],
)
def test_refuses_arguments(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, **options)
