"""Writing files for good: flushed to the disk, and what is said when that fails."""

import contextlib
import os
import re

import tensorflow as tf

from tf2cases.errors import RunError


@contextlib.contextmanager
def writing(path):
    """Within `with`, what a full disk makes Python or TensorFlow raise becomes a RunError that names `path`."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise RunError(
            f"{path} could not be written: {reason(error)}; the checkpoints saved before are intact."
        ) from error


def reason(error):
    """Why a file operation of Python or TensorFlow failed, in few words."""
    if isinstance(error, tf.errors.ResourceExhaustedError):  # TensorFlow's ENOSPC, behind several lines of context
        return "No space left on device"
    if isinstance(error, tf.errors.OpError):
        lines = re.sub(r"{{.*?}}|\[Op:.*", "", error.message or type(error).__name__).strip().splitlines()
        return lines[-1].strip()
    return error.strerror or str(error)


def sync(path):
    """Waits until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
