"""Checkpoints that are complete or absent."""

import os
import re
from typing import Any

import tensorflow as tf

from tf2cases import files
from tf2cases.errors import RunError, UsageError

_NAME = re.compile(r"step_(\d+)$")
_VARIABLES = "variables"  # prefix of the files in a checkpoint's folder


def steps(directory: str) -> list[int]:
    """The steps of the complete checkpoints, oldest first."""
    if not os.path.isdir(directory):
        return []
    return sorted(int(m[1]) for m in map(_NAME.match, os.listdir(directory)) if m)


def path_of(directory: str, step: int) -> str:
    """The folder of a step's checkpoint, whether it is there or not."""
    return os.path.join(directory, f"step_{step:08d}")


def save(directory: str, step: int, keep: int | None = None, **roots: Any) -> None:
    """Writes a checkpoint and removes the oldest ones.

    Checkpoints of later steps are removed too: the run has fallen back behind them, as `restore` does when they
    cannot be read.

    Args:
      directory: the run's checkpoint folder.
      step: names the checkpoint.
      keep: how many of the newest to keep; None keeps all.
      **roots: the trackable objects to save.

    Raises:
      RunError: writing failed (a full disk, say); the earlier checkpoints are untouched.
    """
    try:
        os.makedirs(directory, exist_ok=True)
        files.sweep(directory)
        final = path_of(directory, step)
        with files.temporary_folder(directory, os.path.basename(final)) as folder:
            tf.train.Checkpoint(**roots).write(os.path.join(folder, _VARIABLES))
            files.publish(folder, final, replace=True)
    except files.failures() as error:
        kept = steps(directory)
        last = f"the last one, of step {kept[-1]}, is intact" if kept else "there is none before it"
        raise RunError(
            f"the checkpoint of step {step} could not be written to {directory}: {files.reason(error)}; {last}."
        ) from error
    found = steps(directory)
    earlier = [s for s in found if s <= step]
    for old in set(found) - set(earlier[-keep:] if keep else earlier):
        files.remove_folder(path_of(directory, old))


def restore(directory: str, step: int | None = None, expect_partial: bool = False, **roots: Any) -> int | None:
    """Restores the newest checkpoint, or that of `step`, into objects whose variables exist.

    A checkpoint that cannot be read (a damaged disk) is passed over for the one before it, with a warning.

    Args:
      directory: the run's checkpoint folder.
      step: None for the newest.
      expect_partial: whether only part of what was saved is wanted (a case without the run's progress).
      **roots: as in `save`.

    Returns:
      The step restored, or None if there is no checkpoint.

    Raises:
      UsageError: no checkpoint of `step`.
      RunError: there are checkpoints, but none of them can be read.
    """
    found = steps(directory)
    if step is not None and step not in found:
        listed = ", ".join(map(str, found)) or "none"
        raise UsageError(f"--step is {step}, but {directory} has checkpoints of these steps only: {listed}.")
    wanted = found if step is None else [step]
    problem = None
    for candidate in reversed(wanted):
        try:
            status = tf.train.Checkpoint(**roots).read(os.path.join(path_of(directory, candidate), _VARIABLES))
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
