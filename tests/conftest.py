"""What all tests share."""

import os
import pathlib
import sys

import pytest

# Before anything imports TensorFlow, which reads it once.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

REPO = pathlib.Path(__file__).resolve().parent.parent

# The programs are not installed, and a plain `pytest` does not put the checkout on the path as `python -m` does.
if str(REPO) not in sys.path:
    sys.path.insert(0, str(REPO))


def pytest_collection_finish(session):
    """Gives TensorFlow two logical CPU devices, so that MirroredStrategy has two replicas in this process.

    That is only possible before its first op, and TensorFlow is only worth importing where a collected test has.
    """
    del session
    if "tensorflow" in sys.modules:
        _use_two_cpus(sys.modules["tensorflow"])


def _use_two_cpus(tf):
    cpu = tf.config.list_physical_devices("CPU")[0]
    if not tf.config.get_logical_device_configuration(cpu):
        devices = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, devices)


def pytest_runtest_setup(item):
    """Keeps the strategies of different tests apart.

    A collective op is known by numbers that each strategy counts from the same start, and its shapes are remembered as
    long as the process lives: without this, the second MirroredStrategy of a process fails where its shapes differ.
    """
    del item
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].distribute.MirroredStrategy._collective_key_base += 100


@pytest.fixture(scope="session")
def repo():
    """The root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def shared():
    """The folder `shared` beside the checkout, with the real data; a test that asks for it is skipped without it."""
    folder = REPO.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder `shared` beside the checkout")
    return folder


def _draw_shapes(folder, training, held_out):
    """Draws pictures of discs, rows and columns, a sub-folder each; their names say which split they fall into.

    Args:
      folder: a pathlib.Path that is not there yet.
      training, held_out: how many pictures of a class are for training, and for validation and for testing each.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    from tf2cases.data.pictures import classes

    rng = np.random.default_rng(0)
    for kind in ("columns", "discs", "rows"):
        (folder / kind).mkdir(parents=True)
        wanted, number = [training, held_out, held_out], 0
        while any(wanted):
            name, number = f"{kind}_{number}.png", number + 1
            split = classes.split_of(name)
            if not wanted[split]:
                continue
            wanted[split] -= 1
            picture = Image.new("L", (64, 48), int(rng.integers(150, 256)))
            draw, ink = ImageDraw.Draw(picture), int(rng.integers(0, 90))
            if kind == "discs":
                r = int(rng.integers(8, 16))
                x, y = int(rng.integers(r, 64 - r)), int(rng.integers(r, 48 - r))
                draw.ellipse([x - r, y - r, x + r, y + r], fill=ink)
            else:
                for k in range(int(rng.integers(0, 8)), 64, int(rng.integers(8, 13))):
                    draw.line([0, k, 64, k] if kind == "rows" else [k, 0, k, 48], fill=ink, width=3)
            picture.save(folder / kind / name)


@pytest.fixture(scope="session")
def draw_shapes():
    """The function `_draw_shapes`."""
    return _draw_shapes


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """Flags of the case `retrain`: drawn shapes, 18 pictures for training, 3 for validation and 3 for testing."""
    place = tmp_path_factory.mktemp("shapes")
    _draw_shapes(place / "pictures", 6, 1)
    return {"data_dir": str(place / "pictures"), "cache_dir": str(place / "cache"), "weights": "random"}


@pytest.fixture
def two_replicas():
    """A MirroredStrategy over two logical CPU devices."""
    import tensorflow as tf

    _use_two_cpus(tf)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
