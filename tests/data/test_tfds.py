"""Prepared TFDS sets, and the probe before a download."""

import http.server
import socket
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
import tensorflow_datasets

from tf2cases.data import mnist, tfds
from tf2cases.errors import RunError, UsageError


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def examples(count):
    rng = np.random.RandomState(count)
    images = rng.randint(0, 256, [count, 28, 28, 1]).astype(np.uint8)
    return [{"image": image, "label": i % 10} for i, image in enumerate(images)]


def prepare(data_dir, version, train, test=2):
    """Stores a small set in the way TFDS stores MNIST."""
    features = tensorflow_datasets.features
    tensorflow_datasets.dataset_builders.store_as_tfds_dataset(
        name="mnist",
        version=version,
        features=features.FeaturesDict(
            {"image": features.Image(shape=(28, 28, 1)), "label": features.ClassLabel(num_classes=10)}
        ),
        split_datasets={"train": [*enumerate(examples(train))], "test": [*enumerate(examples(test))]},
        data_dir=data_dir,
        disable_shuffling=True,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("tfds")
    prepare(data_dir, "3.0.1", train=5)
    return data_dir


def test_reads_a_prepared_set_whole(prepared):
    splits = tfds.read(tfds.find_prepared("mnist", [prepared]))
    assert set(splits) == {"train", "test"}
    for split, count in (("train", 5), ("test", 2)):
        expected = examples(count)
        np.testing.assert_array_equal(splits[split]["image"], [e["image"] for e in expected])
        np.testing.assert_array_equal(splits[split]["label"], [e["label"] for e in expected])


def test_mnist_comes_from_a_prepared_set_without_network(prepared, monkeypatch, tmp_path):
    monkeypatch.setattr(tfds, "unreachable", lambda url: pytest.fail("asked the network"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    for data_dir in (str(prepared), "", str(tmp_path)):
        loaded = mnist.load("mnist", data_dir)
        expected = [e["image"] for e in examples(5)]
        np.testing.assert_array_equal(loaded.train["images"], expected)
        assert loaded.train["images"].dtype == loaded.train["labels"].dtype == np.uint8


def test_newest_version_counts_by_number(tmp_path):
    for version in ("3.0.1", "10.0.0", "9.0.0", "11.0.0.incomplete", "other"):
        folder = tmp_path / "mnist" / version
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text("{}")
        (folder / "features.json").write_text("{}")
    (tmp_path / "mnist" / "12.0.0").mkdir()  # nothing in it
    assert tfds.find_prepared("mnist", [tmp_path]) == str(tmp_path / "mnist" / "10.0.0")


def test_first_directory_goes_first(tmp_path, prepared):
    assert tfds.find_prepared("mnist", [tmp_path, prepared]) == str(prepared / "mnist" / "3.0.1")


def test_none_is_prepared(tmp_path):
    assert tfds.find_prepared("mnist", [tmp_path, tmp_path / "none"]) is None


def test_refuses_a_damaged_set(tmp_path):
    prepare(tmp_path, "3.0.1", train=2)
    for record in (tmp_path / "mnist" / "3.0.1").glob("*tfrecord*"):
        record.write_bytes(record.read_bytes()[:-5])
    with pytest.raises(UsageError, match=r"mnist/3.0.1 looks like a prepared .* cannot be read \(.+\)"):
        tfds.read(tfds.find_prepared("mnist", [tmp_path]))


def test_default_dir_is_that_of_tfds(monkeypatch):
    constants = tensorflow_datasets.core.constants
    assert tfds.default_dir() == constants.get_default_data_dir()
    monkeypatch.setenv("TFDS_DATA_DIR", "/some/where")
    assert tfds.default_dir() == constants.get_default_data_dir() == "/some/where"


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_probed_host_is_that_of_tfds(name):
    wanted = tfds.DOWNLOADS[name]
    assert wanted.url.startswith(tensorflow_datasets.builder_cls(wanted.builder).URL)
    assert wanted.embedded == "mnist_sample"


@pytest.fixture
def server():
    """An HTTP server that answers HEAD requests: (its URL, the list of [method, path] it was asked)."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append([self.command, self.path])
            self.send_response(404 if "missing" in self.path else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def test_probe_asks_once_for_the_header(server):
    url, asked = server
    assert tfds.unreachable(f"{url}/file.gz") is None
    assert asked == [["HEAD", "/file.gz"]]


def test_probe_goes_through_the_proxy(server, monkeypatch):
    url, asked = server
    monkeypatch.setenv("http_proxy", url)
    assert tfds.unreachable("http://host.invalid/file.gz") is None
    assert asked == [["HEAD", "http://host.invalid/file.gz"]]


def test_probe_reports_a_status(server):
    url, asked = server
    assert "Not Found" in tfds.unreachable(f"{url}/missing")
    assert len(asked) == 1


def test_probe_takes_a_refused_method_for_an_answer(monkeypatch):
    # As hosts do whose links are made for one download.
    class Opener:
        def open(self, request, timeout):
            raise urllib.error.HTTPError(request.full_url, 403, "Forbidden", None, None)

    monkeypatch.setattr(urllib.request, "build_opener", Opener)
    assert tfds.unreachable("https://host.invalid/") is None
    assert "Forbidden" in tfds.unreachable("http://host.invalid/")  # which a proxy may have said


def test_probe_reports_a_refusal():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: nobody else can answer there
        assert "refused" in tfds.unreachable(f"http://127.0.0.1:{bound.getsockname()[1]}/")


def test_probe_does_not_wait_for_a_silent_host(monkeypatch):
    monkeypatch.setattr(tfds, "_TIMEOUT", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "timed out" in tfds.unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_probe_does_not_wait_for_a_name_server(monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answered.wait(30) and [])
    monkeypatch.setattr(tfds, "_DEADLINE", 0.1)
    assert tfds.unreachable("http://host.invalid/") == "no answer within 0.1 seconds"
    answered.set()


def test_probe_ends_within_15_seconds():
    assert tfds._TIMEOUT <= tfds._DEADLINE <= 10


@pytest.mark.parametrize("name", tfds.DOWNLOADS)
def test_offline_download_ends_at_once_with_one_sentence(name, monkeypatch, tmp_path):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setenv("http_proxy", dead)
        monkeypatch.setenv("https_proxy", dead)
        begin = time.monotonic()
        with pytest.raises(
            UsageError,
            match=rf"--dataset={name}: nothing here, and it cannot be downloaded because http.* cannot be "
            rf"reached \(.*refused.*\); .* --data_dir, or use --dataset={tfds.DOWNLOADS[name].embedded}",
        ):
            tfds.download(name, str(tmp_path), "nothing here")
    assert time.monotonic() - begin < 15
    assert not list(tmp_path.iterdir())


class Builder:
    """Stands in for TFDS' builder, whose real download needs the network."""

    def __init__(self, real):
        self.real, self.prepared = real, False

    def download_and_prepare(self):
        self.prepared = True

    def __getattr__(self, name):
        assert self.prepared
        return getattr(self.real, name)


def test_download_prepares_and_reads(monkeypatch, prepared):
    asked = []
    real = tensorflow_datasets.builder_from_directory(prepared / "mnist" / "3.0.1")

    def builder(name, data_dir):
        asked.append((name, data_dir))
        return Builder(real)

    monkeypatch.setattr(tfds, "unreachable", lambda url: None)
    monkeypatch.setattr(tensorflow_datasets, "builder", builder)
    splits = tfds.read(tfds.download("mnist", "some/where", "nothing here"))
    np.testing.assert_array_equal(splits["test"]["label"], [0, 1])
    tfds.download("mnist", "", "nothing here")
    assert asked == [("mnist", "some/where"), ("mnist", None)]


def test_failed_download_is_one_sentence(monkeypatch):
    def builder(name, data_dir):
        raise OSError("connection reset\nby peer")

    monkeypatch.setattr(tfds, "unreachable", lambda url: None)
    monkeypatch.setattr(tensorflow_datasets, "builder", builder)
    with pytest.raises(RunError, match=r"--dataset=mnist: TFDS could not .* in d \(connection reset\)"):
        tfds.download("mnist", "d", "nothing here")
