"""Data sets by name, and what they all promise."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tf2cases.data import mnist, sources
from tf2cases.data.source import Source
from tf2cases.errors import UsageError


def test_names():
    pictures = {"folder", "celeba", "lfw", "toy_faces"}
    assert set(sources.NAMES) == {"houses", "mnist", "fashion_mnist", "mnist_sample"} | pictures


@pytest.mark.parametrize("name", ["houses", "mnist_sample"])
def test_embedded_sets_need_nothing(name):
    loaded = sources.load(name)
    assert loaded.name == name
    assert json.loads(json.dumps(loaded.info)) == loaded.info
    for split in (loaded.train, loaded.test):
        assert len({len(array) for array in split.values()}) == 1


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_passes_name_and_directory(name, monkeypatch):
    monkeypatch.setattr(mnist, "load", lambda name, data_dir: (name, data_dir))
    assert sources.load(name, "some/where") == (name, "some/where")


def test_passes_options(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\n3,5\n")
    loaded = sources.load("houses", csv=str(tmp_path / "a.csv"), target="0", header="no", features="1")
    np.testing.assert_array_equal(loaded.train["targets"], [1, 3])


def test_refuses_an_unknown_set():
    with pytest.raises(UsageError, match=r"--dataset is 'minst', but must be one of houses, mnist, fashion_mnist,"):
        sources.load("minst")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist_sample", r"--colour is not an option of --dataset=mnist_sample: expected none"),
        ("houses", r"--colour is not .*=houses: expected one of csv, features, target, header"),
    ],
)
def test_refuses_an_option_of_another_set(name, message):
    with pytest.raises(UsageError, match=message):
        sources.load(name, colour="red")


def test_source_checks_its_lengths():
    arrays = {"images": np.zeros([3, 1]), "labels": np.zeros(2)}
    with pytest.raises(ValueError, match=r"arrays of 'x' differ .*'images': \(3, 1\)"):
        Source("x", {"train": arrays}, {})


def loaded_modules(statement):
    """The modules that are there after a statement in a fresh process."""
    program = f"import sys; from tf2cases.data import sources; {statement}; print(*sys.modules, file=sys.stderr)"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stderr.split()


def test_a_set_imports_only_what_it_needs(tmp_path):
    # TensorFlow and TFDS take seconds; only a prepared TFDS set or a download needs them.
    (tmp_path / "img_align_celeba").mkdir()
    for i in range(40):
        Image.new("RGB", (178, 218), (i, 0, 0)).save(tmp_path / "img_align_celeba" / f"{i:06d}.jpg")
    celeba = loaded_modules(f"sources.load('celeba', {str(tmp_path)!r}, cache_dir={str(tmp_path / 'cache')!r}, size=8)")
    sample = loaded_modules("sources.load('mnist_sample')")
    assert "tf2cases.data.faces" in celeba
    assert "tf2cases.data.faces" not in sample
    for modules in (celeba, sample):
        assert not [name for name in modules if name.split(".")[0] in ("captcha", "tensorflow", "tensorflow_datasets")]
