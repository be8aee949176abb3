"""Restoring the case of a run, and starting a new run from the weights of another."""

import os
from typing import Any

import tensorflow as tf

from tf2cases import nn
from tf2cases.configs.record import read_record
from tf2cases.errors import UsageError
from tf2cases.training import checkpoints
from tf2cases.training.case import Case
from tf2cases.training.workdir import CHECKPOINTS


def restore(case_class: type[Case], workdir: str, step: int | None = None, flag: str = "workdir") -> Any:
    """Rebuilds the case of a run, with the weights of a checkpoint.

    Args:
      case_class: the run's case.
      workdir: path of the run's folder.
      step: the step of the checkpoint; the newest by default.
      flag: the flag that names the run, for messages.

    Raises:
      UsageError: there is no run or no checkpoint, or the run is of another case.
      RunError: see `checkpoints.restore`.
    """
    record = read_record(workdir, flag)
    if case_class.Config.case != record["case"]:
        raise UsageError(
            f"--{flag} is {workdir!r}, but its run is of the case {record['case']!r}, not {case_class.Config.case!r}."
        )
    case = case_class(case_class.Config.from_record(record["config"]), record["info"])
    directory = os.path.join(workdir, CHECKPOINTS)
    if checkpoints.restore(directory, record["run"], step, partial=True, case=case) is None:
        raise UsageError(f"--{flag} is {workdir!r}, but no checkpoint was saved there yet.")
    return case


def take_weights(case: Case, workdir: str) -> str:
    """Copies the weights of the newest checkpoint of another run of the case, where name and shape agree.

    Counters and the state of optimizers are not copied. A moving average that the other run does not have starts as a
    copy of the weights.

    Returns:
      A sentence that says what was copied.

    Raises:
      UsageError: there is no such run or checkpoint, or no variable agrees.
      RunError: see `checkpoints.restore`.
    """
    other = restore(type(case), workdir, flag="init_from")
    theirs, mine = _weights(other), _weights(case)
    taken = [name for name, v in mine.items() if name in theirs and v.shape == theirs[name].shape]
    if not taken:
        raise UsageError(
            f"--init_from is {workdir!r}, a run of {other.config.name}, but none of its variables has the name and "
            f"shape of one of {case.config.name}; it must be a run of the same model."
        )
    for name in taken:
        mine[name].assign(theirs[name].numpy())
    averages = [part for part in case.submodules if isinstance(part, nn.ExponentialMovingAverage)]
    copies = set()
    if not any(isinstance(part, nn.ExponentialMovingAverage) for part in other.submodules):
        for average in averages:
            average.reset()
            copies |= {v.ref() for v in average.network.variables}
    kept = sorted(name for name in set(mine) - set(taken) if mine[name].ref() not in copies)
    rest = f" {len(kept)} keep their own: {', '.join(kept[:4])}{', ...' if len(kept) > 4 else ''}." if kept else ""
    return f"{len(taken)} variables start from {workdir}, step {int(other.step):,}.{rest}"


def _weights(case: Case) -> dict[str, tf.Variable]:
    """{path of attributes: variable} of what training learns, and of moving statistics."""
    layers = [part for part in case.submodules if isinstance(part, nn.Layer)]
    learnt = {v.ref() for v in (*case.trainable_variables, *(v for part in layers for v in part.variables))}
    paths: Any = case._flatten(predicate=lambda value: isinstance(value, tf.Variable), with_path=True)
    return {".".join(map(str, path)): variable for path, variable in paths if variable.ref() in learnt}
