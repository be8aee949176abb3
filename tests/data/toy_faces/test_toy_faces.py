"""Drawn faces: functions of (stream, index), varied, and kept."""

import numpy as np
import pytest

from tf2cases.data import sources
from tf2cases.data.toy_faces import dataset, drawing
from tf2cases.errors import UsageError


@pytest.fixture(scope="module")
def faces():
    return dataset.generate("train", 0, 64)


def test_picture_depends_on_its_index_only(faces):
    np.testing.assert_array_equal(dataset.generate("train", 10, 3), faces[10:13])
    np.testing.assert_array_equal(dataset.generate("train", 63, 1), faces[63:])


def test_streams_share_nothing(faces):
    other = dataset.generate("test", 0, 64)
    assert not {face.tobytes() for face in other} & {face.tobytes() for face in faces}
    assert len({face.tobytes() for face in faces}) == 64


def test_numbers_are_uniform():
    numbers = dataset.uniform("train", 0, 500)
    assert numbers.shape == (500, drawing.DRAWS)
    assert 0 <= numbers.min() < 0.001
    assert 0.999 < numbers.max() < 1
    # 500 * 128 numbers: five standard errors of the mean are 0.0057, of a correlation of neighbours 0.02.
    assert abs(numbers.mean() - 0.5) < 0.0057
    for first, second in ((numbers[1:], numbers[:-1]), (numbers[:, 1:], numbers[:, :-1])):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02


def test_edges_are_smooth_at_any_size(faces):
    large = dataset.generate("train", 0, 16, size=256)
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


def test_the_mean_of_many_faces_has_hair_eyes_and_a_mouth_where_faces_have_them():
    mean = dataset.generate("train", 0, 256).mean(axis=0)  # [64, 64, 3]

    def colour(top, bottom, left, right):
        return mean[top:bottom, left:right].mean((0, 1))

    hair, cheeks, mouth = colour(7, 12, 24, 40), colour(34, 40, 20, 44), colour(43, 47, 28, 36)
    eyes, background = (colour(29, 33, 21, 28), colour(29, 33, 36, 43)), colour(0, 6, 0, 64)
    assert hair.mean() < cheeks.mean() - 20
    for eye in eyes:  # the white makes them greyer than skin, the pupil darker
        assert eye[0] - eye[2] < 0.75 * (cheeks[0] - cheeks[2])
        assert eye[0] < cheeks[0] - 10
    assert mouth[0] / mouth[1] > 1.04 * cheeks[0] / cheeks[1]  # redder
    assert abs(background[0] - background[2]) < 5  # of any colour
    assert np.abs(mean - mean[:, ::-1]).mean() < 3  # poses and light lean to neither side


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
    np.testing.assert_array_equal(loaded.test["images"], dataset.generate("test", 0, 5))


def test_is_drawn_once(tmp_path, monkeypatch):
    first = load(tmp_path)
    monkeypatch.setattr(drawing, "draw", lambda *args: pytest.fail("drawn again"))
    np.testing.assert_array_equal(load(tmp_path).train["images"], first.train["images"])


def test_refuses_a_size(tmp_path):
    with pytest.raises(UsageError, match=r"^--size is 2000, but must be from 4 to 1024"):
        load(tmp_path, size=2000)
