"""Where CelebA and LFW are found: archives, folders, TFDS, or one message that says what to do."""

import io
import json
import os
import socket
import tarfile
import time
import zipfile

import numpy as np
import pytest
import tensorflow_datasets
from PIL import Image

from tf2cases.data import faces, sources, tfds
from tf2cases.errors import UsageError

PEOPLE = ["Ada_Lovelace", "Alan_Turing", "Grace_Hopper"]


def jpeg(index=0, size=(178, 218)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (index % 256, 90, 160)).save(buffer, "JPEG")
    return buffer.getvalue()


def members(name, count=60):
    if name == "celeba":
        return {f"img_align_celeba/{i + 1:06d}.jpg": jpeg(i) for i in range(count)}
    people = [PEOPLE[i % 3] for i in range(count)]
    return {f"lfw/{p}/{p}_{i:04d}.jpg": jpeg(i, (250, 250)) for i, p in enumerate(people)}


def make_zip(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def make_tar(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def unpack(path, files):
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    monkeypatch.setattr(tfds, "unreachable", lambda url: "no network in this test")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("celeba", "img_align_celeba.zip"),
        ("celeba", "celeba/img_align_celeba.zip"),
        ("celeba", "celeba/Img/img_align_celeba.zip"),
        ("celeba", "Img/img_align_celeba.zip"),
        ("celeba", "celeba_10000_89x109.tgz"),
        ("lfw", "lfw.tgz"),
        ("lfw", "lfw/lfw-deepfunneled.tgz"),
        ("lfw", "lfw_deepfunneled_2872.tgz"),
        ("lfw", "lfw-funneled.zip"),
    ],
)
def test_finds_archives(tmp_path, name, place):
    data = tmp_path / "data"
    (make_zip if place.endswith("zip") else make_tar)(data / place, members(name, 3))
    other = "lfw.tgz" if name == "celeba" else "img_align_celeba.zip"
    (data / other).write_bytes(b"of the other set")
    for data_dir in (data, data / place):
        assert faces.find(name, str(data_dir)).path == str(data / place)


@pytest.mark.parametrize(
    ("name", "below", "found"),
    [
        ("celeba", "", "img_align_celeba"),
        ("celeba", "celeba", "celeba/img_align_celeba"),
        ("celeba", "celeba/Img", "celeba/Img/img_align_celeba"),
        ("lfw", "", "lfw"),
        ("lfw", "lfw", "lfw/lfw"),
    ],
)
def test_finds_unpacked_folders(tmp_path, name, below, found):
    unpack(tmp_path / "data" / below, members(name, 3))
    (tmp_path / "data" / "captchas").mkdir()
    (tmp_path / "data" / "captchas" / "123456.png").write_bytes(b"")
    for data_dir in ("data", f"data/{found}"):
        assert faces.find(name, str(tmp_path / data_dir)).path == str(tmp_path / "data" / found)
        assert len(faces.find(name, str(tmp_path / data_dir)).names) == 3


def test_the_publishers_archive_goes_first(tmp_path):
    for name in ("celeba_small.tgz", "img_align_celeba.zip", "img_align_celeba_half.zip"):
        (tmp_path / name).write_bytes(b"")
    assert faces.find("celeba", str(tmp_path)).path == str(tmp_path / "img_align_celeba.zip")


def test_pictures_of_something_else_do_not_count(tmp_path):
    unpack(
        tmp_path / "data", {"captchas/0001.png": b"", "photos/me.jpg": b"", "x/123456.jpg": b"", "y/a_0001.jpg": b""}
    )
    for name in ("celeba", "lfw"):
        with pytest.raises(UsageError, match="found neither"):
            faces.find(name, str(tmp_path / "data"))


@pytest.mark.parametrize(("name", "whole"), [("celeba", "202,599"), ("lfw", "13,233")])
def test_loads_a_subset_and_says_its_count(tmp_path, name, whole, capsys):
    make_tar(tmp_path / f"{name}_some.tgz", members(name))
    loaded = sources.load(name, str(tmp_path), size=16, cache_dir=str(tmp_path / "cache"))
    assert loaded.name == name
    assert loaded.info == {"image_shape": [16, 16, 3]}
    both = np.concatenate([loaded.train["images"], loaded.test["images"]])
    assert both.shape == (60, 16, 16, 3)
    assert np.abs(np.sort(both[:, 8, 8, 0].astype(int)) - np.arange(60)).max() <= 3
    assert f"60 pictures (the whole set has {whole}) from {tmp_path}" in capsys.readouterr().out


def store(folder, name, count, seed=0):
    """Stores pictures as TFDS stores these sets: JPEG bytes, several splits."""
    features = tensorflow_datasets.features
    images = [np.full([218, 178, 3], 3 * i + seed, np.uint8) for i in range(count)]
    tensorflow_datasets.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="2.1.0",
        features=features.FeaturesDict({"image": features.Image(shape=(218, 178, 3), encoding_format="jpeg")}),
        split_datasets={
            "train": [(i, {"image": image}) for i, image in enumerate(images[: count - 20])],
            "test": [(i, {"image": image}) for i, image in enumerate(images[count - 20 :])],
        },
        data_dir=folder,
        disable_shuffling=True,
    )


def test_prepared_tfds_set_is_read_picture_by_picture(tmp_path, monkeypatch):
    store(tmp_path / "tfds", "celeb_a", 60)
    loaded = sources.load("celeba", str(tmp_path / "none"), size=8, cache_dir=str(tmp_path / "cache"))
    both = np.concatenate([loaded.train["images"], loaded.test["images"]])
    np.testing.assert_allclose(np.sort(both[:, 4, 4, 0].astype(int)), np.arange(60) * 3, atol=2)
    monkeypatch.setattr(tfds, "encoded_pictures", lambda folder: pytest.fail("read again"))
    sources.load("celeba", str(tmp_path / "none"), size=8, cache_dir=str(tmp_path / "cache"))


def test_damaged_tfds_set_is_named(tmp_path):
    store(tmp_path / "tfds", "celeb_a", 30)
    for record in (tmp_path / "tfds" / "celeb_a" / "2.1.0").glob("*tfrecord*"):
        record.write_bytes(record.read_bytes()[:-5])
    with pytest.raises(UsageError, match=r"celeb_a/2.1.0 looks like a prepared TFDS set but cannot be read \(.+\)"):
        sources.load("celeba", "", size=8, cache_dir=str(tmp_path / "cache"))
    assert not list((tmp_path / "cache").glob("prepared/*/manifest.json"))


def test_downloads_as_a_last_resort(tmp_path, monkeypatch):
    store(tmp_path / "made", "lfw", 40)
    asked = []

    class Builder:
        data_dir = tmp_path / "made" / "lfw" / "2.1.0"

        def download_and_prepare(self):
            asked.append("prepared")

    def builder(name, data_dir):
        asked.append((name, data_dir))
        return Builder()

    monkeypatch.setattr(tfds, "unreachable", lambda url: None)
    monkeypatch.setattr(tensorflow_datasets, "builder", builder)
    loaded = sources.load("lfw", str(tmp_path / "data"), size=8, cache_dir=str(tmp_path / "cache"))
    assert asked == [("lfw", str(tmp_path / "data")), "prepared"]
    assert len(loaded.train["images"]) + len(loaded.test["images"]) == 40


@pytest.mark.parametrize(
    ("name", "wanted", "builder"),
    [("celeba", "img_align_celeba.zip", "celeb_a"), ("lfw", "lfw.tgz or lfw-deepfunneled.tgz", "lfw")],
)
def test_without_network_one_sentence_says_what_to_do(tmp_path, monkeypatch, name, wanted, builder):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        monkeypatch.undo()
        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
        for proxy in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(proxy, f"http://127.0.0.1:{bound.getsockname()[1]}")
        begin = time.monotonic()
        with pytest.raises(UsageError) as error:
            sources.load(name, str(tmp_path), cache_dir=str(tmp_path / "cache"))
        assert time.monotonic() - begin < 15
    text = str(error.value)
    assert (
        f"--dataset={name}: found neither {wanted} nor its unpacked pictures in {tmp_path / name} or {tmp_path}" in text
    )
    assert f"nor a prepared TFDS set in {tmp_path / builder} or {tmp_path / 'tfds' / builder}, and it" in text
    assert "cannot be reached (" in text
    assert "with a browser" in text
    assert text.endswith("or use --dataset=toy_faces, which needs no download.")
    assert os.listdir(tmp_path) == []


def test_names_a_quota_page(tmp_path):
    (tmp_path / "img_align_celeba.zip").write_text("<!DOCTYPE html><title>Google Drive - Quota exceeded</title>")
    with pytest.raises(UsageError, match=r"img_align_celeba.zip is an HTML page, probably a download-quota notice"):
        sources.load("celeba", str(tmp_path), cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["celeba", "lfw"])
def test_probed_host_is_that_of_tfds(name):
    module = __import__(
        f"tensorflow_datasets.datasets.{tfds.DOWNLOADS[name].builder}.{tfds.DOWNLOADS[name].builder}_dataset_builder",
        fromlist=["Builder"],
    )
    assert tfds.DOWNLOADS[name].url in {value for value in vars(module).values() if isinstance(value, str)}


def test_real_folder_of_people(shared, tmp_path):
    loaded = sources.load("lfw", str(shared / "data" / "lfw_sample"), cache_dir=str(tmp_path), size=64)
    assert len(loaded.train["images"]) + len(loaded.test["images"]) == 50
    assert json.loads(json.dumps(loaded.info)) == {"image_shape": [64, 64, 3]}


def test_real_archives_are_found(shared):
    folder = shared / "data" / "faces"
    assert faces.find("celeba", str(folder)).path == str(folder / "celeba_10000_89x109.tgz")
    assert faces.find("lfw", str(folder)).path == str(folder / "lfw_deepfunneled_2872.tgz")
