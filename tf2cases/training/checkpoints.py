"""Checkpoints that are complete or absent."""

import os
import re
import shutil

import tensorflow as tf

from tf2cases.errors import RunError, UsageError
from tf2cases.files import reason, sync

_NAME = re.compile(r"step_(\d+)$")


def steps(directory):
    """The steps of which a complete checkpoint exists, oldest first."""
    if not os.path.isdir(directory):
        return []
    return sorted(int(m[1]) for m in map(_NAME.match, os.listdir(directory)) if m)


def path_of(directory, step):
    """The folder of a step's checkpoint, there or not."""
    return os.path.join(directory, f"step_{step:08d}")


def save(directory, step, keep=None, **roots):
    """Writes a checkpoint and removes the oldest.

    The files are written into a neighbouring folder, which then takes its name in one rename: a process killed at any
    moment leaves complete checkpoints only.

    Checkpoints of later steps are removed too: the run has fallen back behind them, as `restore` does when they
    cannot be read.

    Args:
      directory: the run's checkpoint folder.
      step: int, names the checkpoint.
      keep: how many of the newest to keep; None keeps all.
      **roots: the trackable objects to save.

    Raises:
      RunError: writing failed (a full disk, say); the checkpoints before it are untouched.
    """
    final, temporary = path_of(directory, step), os.path.join(directory, f".tmp-{step}-{os.getpid()}")
    try:
        os.makedirs(directory, exist_ok=True)
        for leftover in os.listdir(directory):
            if leftover.startswith(".tmp-"):
                shutil.rmtree(os.path.join(directory, leftover))
        tf.train.Checkpoint(**roots).write(os.path.join(temporary, "variables"))
        for name in os.listdir(temporary):
            sync(os.path.join(temporary, name))
        if os.path.exists(final):
            _remove(directory, step)
        os.rename(temporary, final)
        sync(directory)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        kept = steps(directory)
        last = f"the last one, of step {kept[-1]}, is intact" if kept else "there is none before it"
        raise RunError(
            f"the checkpoint of step {step} could not be written to {directory}: {reason(error)}; {last}."
        ) from error
    found = steps(directory)
    earlier = [s for s in found if s <= step]
    for old in set(found) - set(earlier[-keep:] if keep else earlier):
        _remove(directory, old)


def _remove(directory, step):
    """Removes a checkpoint that a kill in the middle does not leave half."""
    leftover = os.path.join(directory, f".tmp-{step}-removed")
    os.rename(path_of(directory, step), leftover)
    shutil.rmtree(leftover)


def restore(directory, step=None, expect_partial=False, **roots):
    """Restores the newest checkpoint, or that of `step`, into objects whose variables exist.

    A checkpoint that cannot be read (a damaged disk) is passed over for the one before it, with a warning.

    Args:
      directory: the run's checkpoint folder.
      step: int, or None for the newest.
      expect_partial: True when only part of what was saved is wanted (a case without the run's progress).
      **roots: as in `save`.

    Returns:
      The step restored, or None where there is no checkpoint.

    Raises:
      UsageError: no checkpoint of `step`.
      RunError: there are checkpoints and none of them can be read.
    """
    found = steps(directory)
    if step is not None and step not in found:
        listed = ", ".join(map(str, found)) or "none"
        raise UsageError(f"--step is {step}, but {directory} has checkpoints of these steps only: {listed}.")
    wanted = found if step is None else [step]
    problem = None
    for candidate in reversed(wanted):
        try:
            status = tf.train.Checkpoint(**roots).read(os.path.join(path_of(directory, candidate), "variables"))
            status.assert_existing_objects_matched()
            if expect_partial:
                status.expect_partial()
            else:
                status.assert_consumed()
            return candidate
        except Exception as error:  # the reader raises OpError, ValueError, AssertionError, IndexError and more
            problem = (str(error).strip() or type(error).__name__).splitlines()[0]
            tf.get_logger().warning("the checkpoint of step %d cannot be read: %s", candidate, problem)
    if wanted:
        raise RunError(f"none of the checkpoints in {directory} can be read; the oldest gave: {problem}")
    return None
