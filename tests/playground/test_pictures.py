"""The pictures that come with the page, and the program that makes them."""

import json

import numpy as np
import pytest
from PIL import Image
from program_call import exit_status

from bin import make_playground_pictures
from tf2cases.data import idx

ASSETS = "tf2cases/playground/static/assets"


@pytest.fixture(scope="module")
def assets(repo):
    return repo / ASSETS


def tiles(path, width, height):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    rows, columns = pixels.shape[0] // height, pixels.shape[1] // width
    return pixels.reshape(rows, height, columns, width, 3).swapaxes(1, 2).reshape(-1, height, width, 3)


def test_fifty_captchas_come_with_the_page(assets):
    facts = json.loads((assets / "captchas.json").read_text())
    texts = facts["texts"]
    assert len(tiles(assets / "captchas.png", 160, 60)) == len(texts) == len(set(texts)) == 50
    assert facts["tile"] == [160, 60]
    assert all(len(text) == 4 and text.isascii() and text.isalnum() for text in texts)
    assert sum(text.isdecimal() for text in texts) == 25
    assert (assets / "captchas.png").stat().st_size < 250_000


def test_the_digits_of_the_page_are_test_digits_with_their_labels(assets, repo):
    facts = json.loads((assets / "digits.json").read_text())
    shown = tiles(assets / "digits.png", 28, 28)[..., 0]
    sample = repo / "testdata" / "mnist_sample"
    images = idx.read(str(sample / "t10k-images-idx3-ubyte.gz"))
    labels = idx.read(str(sample / "t10k-labels-idx1-ubyte.gz"))
    label_of = {image.tobytes(): str(label) for image, label in zip(images, labels, strict=True)}
    assert "".join(label_of[digit.tobytes()] for digit in shown) == facts["labels"]
    assert all(facts["labels"].count(digit) == 50 for digit in "0123456789")


def test_the_pictures_of_the_page_are_what_the_program_makes(assets, tmp_path, capsys):
    assert exit_status(make_playground_pictures, f"--out={tmp_path}") == 0
    assert "captchas.png: " in capsys.readouterr().out
    for made in sorted(tmp_path.iterdir()):
        kept = assets / made.name
        if made.suffix == ".json":
            assert made.read_bytes() == kept.read_bytes()
        else:
            with Image.open(made) as one, Image.open(kept) as other:
                difference = np.asarray(one.convert("RGB")).astype(int) - np.asarray(other.convert("RGB"))
            assert np.abs(difference).mean() < 1  # another Pillow may round otherwise


def test_every_picture_of_the_page_has_a_line_that_says_how_it_was_made(assets):
    listed = (assets / "README.md").read_text()
    for path in assets.iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in listed
