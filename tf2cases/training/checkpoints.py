"""Atomic checkpoints: each is either complete or absent.

A checkpoint is a folder with TensorFlow's files and `checkpoint.json`, which holds the identity of the run and a
checksum of each file.
"""

import os
import re
from typing import Any

import tensorflow as tf

from tf2cases import files
from tf2cases.errors import RunError, UsageError

_NAME = re.compile(r"step_(\d+)$")
_VARIABLES = "variables"  # prefix of the files in a checkpoint's folder
_RECORD = "checkpoint.json"
# TensorFlow's errors for files that are missing, truncated, or have wrong checksums. For some it raises a plain
# OpError, whose other subclasses (e.g. out of memory) mean something else.
_DAMAGE = (tf.errors.NotFoundError, tf.errors.OutOfRangeError, tf.errors.DataLossError, IndexError)


class _Damaged(Exception):
    """A checkpoint whose files are not what was saved; the message says why."""


def steps(directory: str) -> list[int]:
    """The steps of the complete checkpoints, oldest first."""
    if not os.path.isdir(directory):
        return []
    return sorted(int(m[1]) for m in map(_NAME.match, os.listdir(directory)) if m)


def path_of(directory: str, step: int) -> str:
    """The folder of a step's checkpoint, which need not exist."""
    return os.path.join(directory, f"step_{step:08d}")


def save(directory: str, step: int, run: str, keep: int | None = None, **roots: Any) -> None:
    """Writes a checkpoint and removes the oldest ones.

    Args:
      directory: the run's checkpoint folder.
      step: names the checkpoint.
      run: identity of the run.
      keep: number of newest checkpoints to keep; None keeps all.
      **roots: the trackable objects to save.

    Raises:
      RunError: writing failed (e.g. the disk is full); earlier checkpoints are untouched.
    """
    try:
        os.makedirs(directory, exist_ok=True)
        files.sweep(directory)
        final = path_of(directory, step)
        with files.temporary_folder(directory, os.path.basename(final)) as folder:
            with files.literal(folder) as place:
                tf.train.Checkpoint(**roots).write(os.path.join(place, _VARIABLES))
            checksums = {name: files.sha256(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}
            files.write_json(os.path.join(folder, _RECORD), {"run": run, "step": step, "sha256": checksums})
            files.publish(folder, final, replace=True)
    except files.failures() as error:
        kept = steps(directory)
        last = f"the previous one, of step {kept[-1]}, is intact" if kept else "no earlier one exists"
        raise RunError(
            f"the checkpoint of step {step} could not be written to {directory}: {files.reason(error)}; {last}."
        ) from error
    for old in steps(directory)[:-keep] if keep else ():
        files.remove_folder(path_of(directory, old))


def restore(
    directory: str, run: str, step: int | None = None, partial: bool = False, set_aside: bool = False, **roots: Any
) -> int | None:
    """Restores the newest checkpoint, or that of `step`, into objects whose variables exist already.

    A checkpoint with damaged files (e.g. on a failing disk) is skipped with a warning; the previous one is tried next.

    Args:
      directory: the run's checkpoint folder.
      run: identity of the run.
      step: None for the newest.
      partial: whether to restore only part of what was saved (e.g. a case without the run's progress).
      set_aside: whether to rename damaged checkpoints to `damaged_...`, so that the run can resume from an earlier one;
        only for the process that holds the run's lock.
      **roots: as in `save`.

    Returns:
      The step restored, or None if there is no checkpoint.

    Raises:
      UsageError: there is no checkpoint of `step`, or a checkpoint belongs to another run.
      RunError: a checkpoint was saved from different objects, or all checkpoints are damaged.
    """
    found = steps(directory)
    if step is not None and step not in found:
        listed = ", ".join(map(str, found)) or "none"
        raise UsageError(f"--step is {step}, but {directory} has checkpoints of these steps only: {listed}.")
    wanted = found if step is None else [step]
    for candidate in reversed(wanted):
        folder = path_of(directory, candidate)
        try:
            _check(folder, run, candidate)
            with files.literal(folder) as place:
                status = tf.train.Checkpoint(**roots).read(os.path.join(place, _VARIABLES))
            status.assert_existing_objects_matched()
            if partial:
                status.expect_partial()
            else:
                status.assert_consumed()
            return candidate
        except _Damaged as error:
            problem = str(error)
        except UsageError:
            raise
        except (AssertionError, ValueError) as error:
            raise RunError(
                f"{folder} was saved by another version, or from another case ({files.reason(error)})."
            ) from error
        except (*_DAMAGE, tf.errors.OpError) as error:
            if not isinstance(error, _DAMAGE) and type(error) is not tf.errors.OpError:
                raise RunError(f"{folder} could not be read: {files.reason(error)}.") from error
            problem = files.reason(error)
        tf.get_logger().warning("the checkpoint of step %d is damaged: %s", candidate, problem)
        if set_aside:
            os.rename(folder, os.path.join(directory, f"damaged_{os.path.basename(folder)}"))
    if wanted:
        raise RunError(f"none of the checkpoints in {directory} can be read; error of the oldest: {problem}.")
    return None


def _check(folder: str, run: str, step: int) -> None:
    """Compares the identity and the checksums of a checkpoint.

    Raises:
      UsageError: it belongs to another run or another step.
      _Damaged: its record cannot be read, or a file is missing or changed.
    """
    try:
        record = files.read_json(os.path.join(folder, _RECORD))
        owner, saved_at, checksums = record["run"], record["step"], dict(record["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _Damaged(f"{_RECORD} cannot be read ({files.reason(error)})") from error
    if owner != run:
        raise UsageError(
            f"{folder} belongs to another run than config.json beside it; use another --workdir, or --overwrite to "
            "start over."
        )
    if saved_at != step:
        raise UsageError(f"{folder} is a copy of the checkpoint of step {saved_at}; move it elsewhere.")
    for name, checksum in checksums.items():
        try:
            found = files.sha256(os.path.join(folder, name))
        except OSError as error:
            raise _Damaged(f"{name} cannot be read ({files.reason(error)})") from error
        if found != checksum:
            raise _Damaged(f"the checksum of {name} does not match")
