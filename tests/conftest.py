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


@pytest.fixture
def two_replicas():
    """A MirroredStrategy over two logical CPU devices."""
    import tensorflow as tf

    _use_two_cpus(tf)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
