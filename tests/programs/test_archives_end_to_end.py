"""Archives of pictures through whole programs: trained on, evaluated, and classified."""

import os
import shutil

import numpy as np
import pytest
from program_call import exit_status

from tf2cases import viz
from tf2cases.programs import evaluate, evaluate_dcgan, retrain, train_dcgan


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["zip", "gztar"])
def test_retraining_on_an_archive_gives_the_numbers_of_its_folder(form, draw_shapes, tmp_path, capsys):
    draw_shapes(tmp_path / "shapes", 4, 1)
    archive = os.path.basename(shutil.make_archive("packed", form, "shapes"))
    numbers = []
    for place in ("shapes", archive):
        options = ("--weights=random", "--steps=2", f"--workdir=run_{place}", "--export_dir=", "--eval_every=2")
        assert exit_status(retrain, f"--data_dir={place}", *options) == 0
        assert exit_status(evaluate, f"--workdir=run_{place}") == 0
        lines = capsys.readouterr().out.splitlines()
        numbers.append([line for line in lines if line.startswith(("  test_", "Accuracy"))])
    assert numbers[0] == numbers[1] != []


@pytest.mark.slow
def test_a_dcgan_is_trained_and_evaluated_on_an_archive(capsys):
    rng = np.random.default_rng(0)
    for number in range(400):
        viz.write_png(f"many/{number}.png", rng.integers(0, 256, [36, 36, 3], np.uint8))
    for form in ("zip", "gztar"):
        shutil.make_archive("many", form, ".", "many")
    options = ("--size=32", "--steps=1", "--batch_size=8", "--workdir=run", "--export_dir=")
    assert exit_status(train_dcgan, "--dataset=folder", "--data_dir=many.tar.gz", *options) == 0
    assert exit_status(evaluate_dcgan, "--workdir=run", "--samples=100") == 0
    assert exit_status(evaluate_dcgan, "--workdir=run", "--samples=100", "--data_dir=many.zip") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "Frechet distance:" in line]) == 2
