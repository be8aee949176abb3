"""Samples while learning: numbered pictures, and a film of all of them."""

import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from tf2cases.configs import field
from tf2cases.errors import RunError
from tf2cases.training import loop


class Killed(BaseException):
    """Stands for SIGKILL."""


def kill():
    raise Killed


@pytest.fixture
def sampling(toy):
    """Draws the step as a grey level, at every fourth of 18 steps."""

    @dataclasses.dataclass(frozen=True)
    class SamplingConfig(toy.Config):
        sample_every: int = field(4, "Steps between samples.", minimum=0, numeric=False)

    class Sampling(toy):
        Config = SamplingConfig
        frames_per_second = 5

        def samples(self):
            return {"shade": np.full([4, 6, 1], 10 * int(self.step), np.uint8)}

    return Sampling


TOY = dict(epochs=4, checkpoint_every=5, pictures_every=0)  # 18 steps
SHADES = [4, 8, 12, 16, 18]


def shades(folder):
    """The steps of the numbered pictures."""
    return sorted(int(n[6:12]) for n in os.listdir(folder / "pictures") if n.startswith("shade_"))


def frames(folder):
    """(grey levels, seconds a frame) of the film."""
    with Image.open(folder / "pictures" / "shades.gif") as film:
        found = []
        for i in range(film.n_frames):
            film.seek(i)
            found.append(int(np.asarray(film.convert("L")).mean()))
        return found, film.info["duration"] / 1000


def test_samples_are_numbered_by_their_step_and_end_in_a_film(runs, sampling):
    runs.train(sampling, **TOY)
    assert shades(runs.path / "run") == SHADES
    assert frames(runs.path / "run") == ([10 * step for step in SHADES], 1 / 5)
    picture = np.asarray(Image.open(runs.path / "run" / "pictures" / "shade_000008.png"))
    assert picture.shape == (4, 6)
    assert np.all(picture == 80)


@pytest.mark.parametrize("step", [9, 13])
def test_on_resume_pictures_after_the_checkpoint_are_removed_and_the_film_has_all(runs, sampling, at_step, step):
    at_step(step, kill)
    with pytest.raises(Killed):
        runs.train(sampling, **TOY)
    kept = runs.checkpoints()[-1]  # 5 or 10
    before = shades(runs.path / "run")
    assert before[-1] > kept

    def look():
        assert shades(runs.path / "run") == [s for s in SHADES if s <= kept]
        kill()

    at_step(kept + 1, look)
    with pytest.raises(Killed):
        runs.train(sampling, **TOY)
    at_step()
    runs.train(sampling, **TOY)
    assert shades(runs.path / "run") == SHADES
    assert frames(runs.path / "run")[0] == [10 * s for s in SHADES]


def test_a_run_that_goes_on_after_its_end_films_both_parts(runs, sampling):
    runs.train(sampling, steps=6)
    assert frames(runs.path / "run")[0] == [40, 60]
    runs.train(sampling, steps=9)
    assert frames(runs.path / "run")[0] == [40, 60, 80, 90]


def test_a_film_of_many_samples_has_twenty_evenly_spaced_ones_with_the_first_and_the_last(runs, sampling):
    class Many(sampling):
        def samples(self):
            return {"shade": np.full([4, 6, 1], 2 * int(self.step), np.uint8)}

    runs.train(Many, steps=77, sample_every=1)
    # From 1 to 77 in 19 strides of 4.
    assert frames(runs.path / "run")[0] == [2 * step for step in range(1, 78, 4)]


def test_a_film_has_at_most_two_megabytes(runs, sampling):
    class Noisy(sampling):
        def samples(self):
            shape = [300, 500, 3]
            return {"shade": np.random.default_rng(int(self.step)).integers(0, 256, shape, np.uint8)}

    runs.train(Noisy, steps=18, sample_every=1)
    path = runs.path / "run" / "pictures" / "shades.gif"
    assert 500_000 < os.path.getsize(path) <= 2_000_000
    with Image.open(path) as film:
        assert film.n_frames == 18
        assert film.width / film.height == pytest.approx(5 / 3, abs=0.02)


def test_without_a_cadence_there_is_one_sample_at_the_end(runs, sampling):
    runs.train(sampling, steps=6, sample_every=0)
    assert shades(runs.path / "run") == [6]
    assert frames(runs.path / "run")[0] == [60]


def test_a_case_without_samples_makes_no_film(runs, toy):
    runs.train(toy, steps=6)
    assert not [name for name in os.listdir(runs.path / "run" / "pictures") if name.endswith(".gif")]


def test_a_full_disk_while_filming_is_one_sentence(runs, sampling, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loop.Reporter, "flush", lambda self: None)
    monkeypatch.setattr("tf2cases.viz.write_gif", full)
    with pytest.raises(RunError, match=r"run could not be written: No space left on device; what was saved"):
        runs.train(sampling, steps=6)
