"""The record of a run in its folder. TensorFlow is not imported, so that a mistyped path is reported at once."""

import os

from tf2cases import files
from tf2cases.errors import UsageError

CONFIG = "config.json"


def read_record(path: str, flag: str = "workdir") -> dict:
    """Reads `config.json` from a run's folder; `flag` names it in messages.

    Raises:
      UsageError: there is no valid one.
    """
    file = os.path.join(path, CONFIG)
    try:
        record = files.read_json(file)
    except FileNotFoundError as error:
        raise UsageError(f"--{flag} is {path!r}, but there is no run in it ({file} is missing).") from error
    except (OSError, ValueError) as error:
        why = f"cannot be read: {files.reason(error)}"
        raise UsageError(f"--{flag} is {path!r}, but {file} {why}; {_advice(flag)}.") from error
    if not isinstance(record, dict) or not {"case", "run", "config", "info"} <= record.keys():
        raise UsageError(f"--{flag} is {path!r}, but {file} must contain case, run, config and info; {_advice(flag)}.")
    return record


def _advice(flag: str) -> str:
    """What to do if the record is damaged."""
    again = "train again with --overwrite, which starts the run over" if flag == "workdir" else "name another run"
    return f"restore the file, or {again}"
