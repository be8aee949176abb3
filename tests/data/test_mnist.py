"""MNIST, Fashion-MNIST and the embedded sample."""

import hashlib
import pathlib
import types

import numpy as np
import pytest

from bin import make_mnist_sample
from tf2cases.data import idx, mnist, source, tfds
from tf2cases.errors import UsageError

REPO = pathlib.Path(__file__).resolve().parents[2]
SHARED = REPO.parent / "shared" / "data" / "mnist"
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


@pytest.fixture(autouse=True)
def no_tfds(monkeypatch, tmp_path):
    """No test finds a set that this machine happens to have, or downloads one."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds-default"))
    monkeypatch.setattr(tfds, "unreachable", lambda url: "no network in tests")


def arrays(train=3, test=2, offset=0):
    rng = np.random.RandomState(offset)
    return [
        rng.randint(0, 256, [train, 28, 28]).astype(np.uint8),
        (np.arange(train) + offset).astype(np.uint8) % 10,
        rng.randint(0, 256, [test, 28, 28]).astype(np.uint8),
        (np.arange(test) + offset).astype(np.uint8) % 10,
    ]


def store(folder, contents=None, rename=lambda name: name):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(NAMES, contents or arrays(), strict=True):
        idx.write(folder / rename(name), array)
    return str(folder)


def assert_holds(loaded, contents):
    np.testing.assert_array_equal(loaded.train["images"], contents[0][..., None])
    np.testing.assert_array_equal(loaded.train["labels"], contents[1])
    np.testing.assert_array_equal(loaded.test["images"], contents[2][..., None])
    np.testing.assert_array_equal(loaded.test["labels"], contents[3])
    for split in (loaded.train, loaded.test):
        assert {name: array.dtype for name, array in split.items()} == {"images": np.uint8, "labels": np.uint8}


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: name + ".gz",
        lambda name: name.replace("-idx", ".idx"),
        lambda name: name.replace("-idx", ".idx") + ".gz",
    ],
)
def test_finds_idx_files_by_all_their_names(tmp_path, rename):
    loaded = mnist.load("mnist", store(tmp_path / "d", rename=rename))
    assert loaded.name == "mnist"
    assert_holds(loaded, arrays())
    assert loaded.info == {"image_shape": [28, 28, 1], "class_names": list("0123456789")}


def test_the_folder_with_the_sets_name_goes_first(tmp_path):
    store(tmp_path, arrays(offset=1))
    store(tmp_path / "fashion_mnist", arrays(offset=2))
    assert_holds(mnist.load("mnist", str(tmp_path)), arrays(offset=1))
    assert_holds(mnist.load("fashion_mnist", str(tmp_path)), arrays(offset=2))


def test_fashion_has_its_own_classes_and_a_hyphen_is_fine(tmp_path):
    store(tmp_path / "fashion-mnist")
    info = mnist.load("fashion_mnist", str(tmp_path)).info
    assert info["class_names"][0] == "T-shirt/top"
    assert info["class_names"][9] == "Ankle boot"
    assert len(info["class_names"]) == 10


def test_prepared_set_comes_after_idx_files(tmp_path, monkeypatch):
    train_images, train_labels, test_images, test_labels = arrays(offset=3)
    splits = {
        "train": {"image": train_images[..., None], "label": train_labels.astype(np.int64)},
        "test": {"image": test_images[..., None], "label": test_labels.astype(np.int64)},
    }
    asked = []
    monkeypatch.setattr(tfds, "find_prepared", lambda *args: asked.append(args) or "folder")
    monkeypatch.setattr(tfds, "read", {"folder": splits}.get)
    assert_holds(mnist.load("mnist", str(tmp_path)), arrays(offset=3))
    assert asked == [("mnist", [str(tmp_path), str(tmp_path / "tfds-default")])]
    store(tmp_path)
    assert_holds(mnist.load("mnist", str(tmp_path)), arrays())
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": {}}, r"set 'mnist' has the splits \['train'\]: expected train and test"),
        ({"train": {"x": 1}, "test": {}}, r"has the features \['x'\]: expected image and label"),
    ],
)
def test_refuses_a_prepared_set_of_another_kind(monkeypatch, splits, message):
    monkeypatch.setattr(tfds, "find_prepared", lambda *args: "folder")
    monkeypatch.setattr(tfds, "read", {"folder": splits}.get)
    with pytest.raises(UsageError, match=message):
        mnist.load("mnist")


def test_download_goes_to_the_data_dir(tmp_path, monkeypatch):
    asked = []

    def download(name, data_dir, looked_for):
        asked.append((name, data_dir))
        return "folder"

    arrays = {"image": np.zeros([2, 28, 28, 1], np.uint8), "label": np.array([0, 9])}
    monkeypatch.setattr(tfds, "download", download)
    monkeypatch.setattr(tfds, "read", {"folder": {"train": arrays, "test": arrays}}.get)
    assert len(mnist.load("fashion_mnist", str(tmp_path)).test["labels"]) == 2
    assert asked == [("fashion_mnist", str(tmp_path))]


def test_message_when_nothing_is_to_be_had(tmp_path):
    with pytest.raises(UsageError) as caught:
        mnist.load("mnist", str(tmp_path / "d"))
    message = str(caught.value)
    for part in (
        "--dataset=mnist: found neither the idx files",
        *NAMES,
        f"in {tmp_path}/d/mnist or {tmp_path}/d, nor a prepared TFDS set",
        f"in {tmp_path}/d/mnist or {tmp_path}/tfds-default/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "(no network in tests)",
        "--data_dir",
        "--dataset=mnist_sample",
    ):
        assert part in message
    assert message.count("\n") == 0
    with pytest.raises(UsageError, match=r"because --data_dir is empty, nor .*--dataset=mnist_sample"):
        mnist.load("fashion_mnist")


def replaced(position, array):
    contents = arrays()
    contents[position] = array
    return contents


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (
            replaced(1, np.array([0, 10, 1], np.uint8)),
            r"train-labels-idx1-ubyte has the label 10 at index 1: expected 0 to 9",
        ),
        (
            replaced(3, np.zeros(5, np.uint8)),
            r"t10k-images-idx3-ubyte has 2 images but .*t10k-labels-idx1-ubyte has 5 labels",
        ),
        (
            replaced(0, np.zeros([3, 32, 32], np.uint8)),
            r"train-images-idx3-ubyte has images of shape \[3, 32, 32\]: expected \[N, 28, 28\]",
        ),
        (replaced(0, np.zeros([3, 784], np.uint8)), r"images of shape \[3, 784\]"),
        (replaced(0, np.zeros([0, 28, 28], np.uint8)), r"images of shape \[0, 28, 28\]"),
        (replaced(1, np.zeros([3, 1], np.uint8)), r"labels of shape \[3, 1\]: expected \[N\]"),
    ],
)
def test_refuses_what_is_not_mnist(tmp_path, contents, message):
    with pytest.raises(UsageError, match=message):
        mnist.load("mnist", store(tmp_path, contents))


def test_names_the_file_that_is_missing(tmp_path):
    store(tmp_path)
    (tmp_path / NAMES[3]).unlink()
    with pytest.raises(UsageError, match=r"some of MNIST's idx files but not t10k-labels-idx1-ubyte"):
        mnist.load("mnist", str(tmp_path))


def test_data_dir_must_be_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"--data_dir=.*file is a file: expected a folder"):
        mnist.load("mnist", str(tmp_path / "file"))


def test_load_idx_wants_the_files(tmp_path):
    with pytest.raises(UsageError, match=r"has no idx files: expected train-images-idx3-ubyte"):
        mnist.load_idx(str(tmp_path))


def test_sample_is_balanced_and_small():
    sample = mnist.load_sample()
    assert sample.name == "mnist_sample"
    assert sample.train["images"].shape == (4000, 28, 28, 1)
    assert sample.test["images"].shape == (1000, 28, 28, 1)
    np.testing.assert_array_equal(np.bincount(sample.train["labels"]), [400] * 10)
    np.testing.assert_array_equal(np.bincount(sample.test["labels"]), [100] * 10)
    files = list((REPO / "testdata" / "mnist_sample").iterdir())
    assert sorted(f.name for f in files) == sorted(f"{name}.gz" for name in NAMES)
    assert sum(f.stat().st_size for f in files) <= 1_300_000


def test_sample_is_shuffled():
    labels = mnist.load_sample().train["labels"]
    # Equal neighbours: a tenth of 3,999 by chance (standard deviation 19), nearly all if sorted.
    assert 300 < np.sum(labels[1:] == labels[:-1]) < 500


def test_a_missing_sample_is_named_with_its_place(monkeypatch):
    monkeypatch.setattr(source.importlib.resources, "files", lambda name: f"/nowhere/{name}")
    with pytest.raises(UsageError, match=r"testdata/mnist_sample is not at /nowhere/tf2cases\.testdata/mnist_sample: "):
        mnist.load_sample()


def test_a_checkout_that_is_not_installed_has_the_sample(monkeypatch):
    def files(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(source.importlib.resources, "files", files)
    assert source.testdata_path("mnist_sample") == str(REPO / "testdata" / "mnist_sample")


def test_draw_takes_each_digit_as_often_and_no_picture_twice():
    labels = np.tile(np.arange(10), 7)
    chosen = make_mnist_sample.draw(labels, 5, np.random.RandomState(0))
    assert len(set(chosen)) == 50
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [5] * 10)
    with pytest.raises(UsageError, match=r"has 7 images of digit 0 in a split: expected at least 8"):
        make_mnist_sample.draw(labels, 8, np.random.RandomState(0))


def test_make_sample_wants_a_data_dir():
    with pytest.raises(UsageError, match=r"--data_dir is missing"):
        make_mnist_sample.main(types.SimpleNamespace(data_dir=None, out="unused"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the original MNIST files are not here")
def test_the_sample_can_be_made_again_byte_by_byte(tmp_path, capsys):
    make_mnist_sample.main(types.SimpleNamespace(data_dir=str(SHARED), out=str(tmp_path)))
    assert capsys.readouterr().out.startswith("4000 train and 1000 test digits")
    for name in NAMES:
        made = (tmp_path / f"{name}.gz").read_bytes()
        assert made == (REPO / "testdata" / "mnist_sample" / f"{name}.gz").read_bytes()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the original MNIST files are not here")
def test_reads_the_original_files():
    loaded = mnist.load("mnist", str(SHARED))
    # Label counts from the published description of the set; the mean pixel is the well-known 0.1307.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    np.testing.assert_array_equal(np.bincount(loaded.train["labels"]), counts)
    assert abs(loaded.train["images"].mean() / 255 - 0.1307) < 5e-5
    assert len(loaded.test["labels"]) == 10000
    # The sample's digits are MNIST's, each once, training from training and test from test.
    sample = mnist.load_sample()
    for split in ("train", "test"):
        ours = digests(getattr(sample, split))
        assert len(ours) == len(getattr(sample, split)["labels"])
        assert ours <= digests(getattr(loaded, split))


def digests(split):
    pairs = zip(split["images"], split["labels"], strict=True)
    return {hashlib.md5(image.tobytes() + label.tobytes()).digest() for image, label in pairs}
