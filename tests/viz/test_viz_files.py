import os

import numpy as np
import pytest
from PIL import Image

from tf2cases.configs import path_flags
from tf2cases.viz import write_gif, write_picture, write_png

GREY = np.zeros((2, 2), np.uint8)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "mode"), [((5, 7), "L"), ((5, 7, 1), "L"), ((5, 7, 3), "RGB"), ((5, 7, 4), "RGBA"), ((1, 3), "L")]
)
def test_png_comes_back_pixel_for_pixel(tmp_path, shape, mode):
    image = RNG.integers(0, 256, shape, np.uint8)
    path = tmp_path / "new" / "folders" / "a.png"
    write_png(path, image)
    with Image.open(path) as read:
        assert (read.format, read.mode) == ("PNG", mode)
        np.testing.assert_array_equal(np.asarray(read), image[..., 0] if shape[2:] == (1,) else image)
    assert os.listdir(path.parent) == ["a.png"]


def test_png_can_be_written_into_the_current_folder_and_over_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in (1, 2):
        write_png("a.png", np.full((2, 2), value, np.uint8))
        with Image.open("a.png") as read:
            assert read.getpixel((0, 0)) == value
    assert os.listdir() == ["a.png"]


def test_files_have_the_permissions_of_ordinary_files(tmp_path):
    (tmp_path / "ordinary").touch()
    write_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def _durations(path):
    """Milliseconds of each frame."""
    with Image.open(path) as read:
        assert read.format == "GIF"
        found = []
        for i in range(read.n_frames):
            read.seek(i)
            found.append(read.info["duration"])
        return found, read.info.get("loop")


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (10, [100] * 6),
        (0.5, [2000] * 6),
        (50, [20] * 6),
        (30, [30, 40, 30, 30, 40, 30]),  # ends at 3.33, 6.67, 10, 13.3, 16.7, 20 hundredths
    ],
)
def test_gif_has_every_frame_for_its_time_and_repeats(tmp_path, rate, expected):
    frames = [np.full((4, 6, 3), 40 * i, np.uint8) for i in range(6)]
    write_gif(tmp_path / "new" / "a.gif", frames, rate)
    durations, loop = _durations(tmp_path / "new" / "a.gif")
    assert durations == expected
    assert loop == 0  # for ever
    assert os.listdir(tmp_path / "new") == ["a.gif"]


@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 1)])
def test_grey_gif_comes_back_pixel_for_pixel(tmp_path, shape):
    frames = RNG.integers(0, 256, (3, *shape), np.uint8)
    write_gif(tmp_path / "a.gif", frames, 10)
    with Image.open(tmp_path / "a.gif") as read:
        assert read.n_frames == 3
        for i in range(3):
            read.seek(i)
            np.testing.assert_array_equal(np.asarray(read.convert("L")), frames[i].reshape(9, 11))


def test_gif_of_colours_keeps_them_near(tmp_path):
    colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    write_gif(tmp_path / "a.gif", [np.full((8, 8, 3), c, np.uint8) for c in colours], 10)
    with Image.open(tmp_path / "a.gif") as read:
        for i, colour in enumerate(colours):
            read.seek(i)
            assert np.abs(np.asarray(read.convert("RGB")).astype(int) - colour).max() <= 4


@pytest.mark.parametrize("count", [1, 3])
def test_gif_of_one_picture_is_one_frame(tmp_path, count):
    write_gif(tmp_path / "a.gif", [GREY] * count, 4)
    assert _durations(tmp_path / "a.gif")[0] == [250 * count]


def test_gif_of_equal_frames_lasts_as_long_as_they_would(tmp_path):
    write_gif(tmp_path / "a.gif", [np.zeros((4, 4), np.uint8)] * 5 + [np.ones((4, 4), np.uint8)], 10)
    assert sum(_durations(tmp_path / "a.gif")[0]) == 600


@pytest.mark.parametrize("shape", [(120, 160), (120, 160, 3)])
def test_gif_above_the_limit_gets_fewer_colours_and_then_smaller_frames(tmp_path, shape):
    frames = RNG.integers(0, 256, (4, *shape), np.uint8)
    write_gif(tmp_path / "whole.gif", frames, 10)
    size = os.path.getsize(tmp_path / "whole.gif")
    for limit in (size, size - 1, size // 10):
        write_gif(tmp_path / "a.gif", frames, 10, limit)
        assert limit / 2 < os.path.getsize(tmp_path / "a.gif") <= limit
        with Image.open(tmp_path / "a.gif") as read:
            assert read.n_frames == 4
            assert (read.size == (160, 120)) == (limit > size // 2)
            assert abs(read.width / read.height - 4 / 3) < 0.05
            assert (len(read.convert("RGB").getcolors(2**16)) <= 64) == (limit < size)


def test_gif_that_cannot_be_as_small_as_the_limit_is_written(tmp_path):
    write_gif(tmp_path / "a.gif", RNG.integers(0, 256, (2, 9, 9), np.uint8), 10, 10)
    with Image.open(tmp_path / "a.gif") as read:
        assert read.n_frames == 2


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((2, 2)), r"image is float64 \[2, 2\], but must be uint8 \[H, W\]"),
        (np.zeros(4, np.uint8), r"image is uint8 \[4\], but must be"),
        (np.zeros((2, 2, 2), np.uint8), r"image is uint8 \[2, 2, 2\], but must be"),
        (np.zeros((0, 2), np.uint8), r"image is uint8 \[0, 2\], but must be .* H, W >= 1"),
    ],
)
def test_png_refuses_with_a_sentence_and_leaves_no_file(tmp_path, image, message):
    with pytest.raises(ValueError, match=message):
        write_png(tmp_path / "a.png", image)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("frames", "rate", "message"),
    [
        ([], 10, r"frames is empty, but must hold at least one"),
        ([GREY], 0, r"frames_per_second is 0, but must be above 0 and at most 50"),
        ([GREY], 51, r"frames_per_second is 51, but must be"),
        ([GREY], float("nan"), r"frames_per_second is nan, but must be"),
        ([GREY, GREY.astype(int)], 10, r"frame 1 is int64 \[2, 2\], but must be uint8"),
        ([GREY, np.zeros((2, 3), np.uint8)], 10, r"frame 1 has the shape \[2, 3\], but must have frame 0's, \[2, 2\]"),
        ([np.zeros((2, 2, 4), np.uint8)], 10, r"frame 0 is uint8 \[2, 2, 4\], but must be"),
    ],
)
def test_gif_refuses_with_a_sentence_and_leaves_no_file(tmp_path, frames, rate, message):
    with pytest.raises(ValueError, match=message):
        write_gif(tmp_path / "a.gif", frames, rate)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("write", [lambda p: write_png(p, GREY + 9), lambda p: write_gif(p, [GREY], 10)])
def test_a_failure_while_writing_keeps_the_old_file_and_leaves_no_part(tmp_path, monkeypatch, write):
    path = tmp_path / "a.picture"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(path)
    assert os.listdir(tmp_path) == ["a.picture"]
    assert path.read_bytes() == b"old"


def test_a_folder_in_the_way_is_an_os_error_and_leaves_no_part(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match=r"a\.png"):
        write_png(tmp_path / "a.png", GREY)
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("ending", path_flags.PICTURES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_ending_decides_the_format(ending, channels, tmp_path):
    rows = np.mgrid[0:12, 0:9][0]
    image = np.repeat((rows * 20).astype(np.uint8)[..., None], channels, -1)
    write_picture(tmp_path / f"a{ending}", image)
    with Image.open(tmp_path / f"a{ending}") as written:
        assert written.format == {".jpg": "JPEG", ".tif": "TIFF"}.get(ending, ending[1:].upper())
        assert written.size == (9, 12)
        if ending not in (".jpg", ".jpeg", ".gif"):
            assert (np.asarray(written.convert("RGBA"))[..., 0] == image[..., 0]).all()
        elif channels < 4:
            assert np.abs(np.asarray(written.convert("L")).astype(int) - image[..., 0]).max() <= 3
