"""The folder of a run: its lock, its config, and the removal of newer reports when it is resumed."""

import bisect
import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Collection, Sequence

import numpy as np
import tensorflow as tf

import tf2cases
from tf2cases import configs, files
from tf2cases.configs.record import CONFIG, read_record
from tf2cases.data.source import Source
from tf2cases.errors import UsageError
from tf2cases.training import distribution, manifest

# Files and folders that a run writes, besides CONFIG and its manifest.
METRICS, CHECKPOINTS, TENSORBOARD, PICTURES = "metrics.jsonl", "checkpoints", "tensorboard", "pictures"
# Added by the evaluation of single checkpoints: their scores, and a run that contains only the best one.
SCORES, BEST = "distances.jsonl", "best"

_ADVICE = "use another --workdir, or --overwrite to start over"


def numbered_picture(name: str, step: int) -> str:
    """The file name of a picture, numbered by the step."""
    return f"{name}_{step:06d}.png"


class Workdir:
    """A run's folder, locked for this process until `close`; a context manager.

    Args:
      path: the folder; created if missing. If the `with` block fails before anything is written, the folder and the
        lock are removed again, unless they were there before.

    Attributes:
      run: the run's identity, a random text; `claim` replaces it by that of the run that is resumed.

    Raises:
      UsageError: another process is training there, or the folder cannot be created.
    """

    def __init__(self, path: str):
        self.path, self.run, self._created = path, uuid.uuid4().hex, _missing_folders(path)
        try:
            os.makedirs(path, exist_ok=True)
            self._is_new = not os.path.exists(os.path.join(path, ".lock"))
            self._lock = open(os.path.join(path, ".lock"), "a+")
        except OSError as error:
            why = "is a file" if os.path.isfile(path) else f"cannot be written to: {files.reason(error)}"
            raise UsageError(f"--workdir is {path!r}, but it {why}.") from error
        if not files.try_hold(self._lock):
            self._lock.close()
            raise UsageError(
                f"--workdir is {path!r}, but another process is training there; wait for it or name another folder."
            )

    def __enter__(self) -> "Workdir":
        return self

    def __exit__(self, kind: type | None, *exception: object) -> None:
        with contextlib.suppress(OSError):  # for example, another run was started in a folder to be removed
            if kind and self._is_new and not os.path.exists(self.file(CONFIG)):
                os.remove(self.file(".lock"))
                for folder in self._created:
                    os.rmdir(folder)
        self.close()

    def close(self) -> None:
        """Releases the lock, so that other processes can train here."""
        self._lock.close()

    def file(self, *names: str) -> str:
        """A path inside the folder."""
        return os.path.join(self.path, *names)

    def own(self, *names: str) -> str:
        """The path of a file that the run is about to write, which is listed in its manifest (see `manifest.own`)."""
        return manifest.own(self.path, *names)

    def clear(self) -> None:
        """Removes the run with everything that it wrote, and nothing else.

        config.json goes first: a process that is killed in between leaves files that belong to no run, which the next
        start removes.
        """
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.file(CONFIG))
            files.sync(self.path)
        manifest.remove(self.path)

    def check(self, config: configs.RunConfig) -> None:
        """Rejects a config that does not match the folder, see `check`."""
        check(self.path, config)

    def claim(self, config: configs.RunConfig, source: Source) -> None:
        """Writes `config.json`, after checking that any run already in the folder is this one.

        Args:
          config: the run's config, with `steps` computed.
          source: the run's data.

        Raises:
          UsageError: the folder holds a run whose config or data would give different results.
          RunError: the disk is full.
        """
        facts = json.loads(json.dumps({"info": dict(source.info), "examples": source.fingerprint()}))
        self.check(config)
        with files.writing(self.path):
            if config.overwrite or not os.path.exists(self.file(CONFIG)):
                self.clear()
                manifest.add(self.path, METRICS)
        if os.path.exists(self.file(CONFIG)):
            record = _check_config(self.path, config)
            before = record.get("examples") or {}
            same = all(before.get(name, value) == value for name, value in facts["examples"].items())
            if record["info"] != facts["info"] or not same:
                raise UsageError(
                    f"--dataset={config.dataset} has changed since the run in --workdir={self.path} was started; "
                    f"{_ADVICE}."
                )
            self.run = record["run"]
        record = {
            "case": config.case,
            "run": self.run,
            "config": dataclasses.asdict(config),
            **facts,
            "versions": {
                "tf2cases": tf2cases.__version__,
                "tensorflow": tf.__version__,
                "numpy": np.__version__,
                "python": sys.version.split()[0],
            },
            "device": distribution.device_name(),
            "revision": _git_revision(),
        }
        with files.writing(self.file(CONFIG)):
            files.sweep(self.path)
            files.write_json(self.file(CONFIG), record)

    def numbered_pictures(self, name: str | None = None) -> list[tuple[int, str]]:
        """The (step, path) of the run's pictures numbered by the step, or of those of one name; sorted by the step."""
        found = []
        for path in manifest.listed(self.path):
            match = re.fullmatch(rf"{PICTURES}/(.+)_(\d{{6,}})\.png", path)
            if match and name in (None, match[1]) and os.path.exists(self.file(path)):
                found.append((int(match[2]), self.file(path)))
        return sorted(found)

    def cut_back(self, step: int, metric_names: Collection[str] | None = None) -> None:
        """Removes all reports after `step`, so that a resumed run does not duplicate them.

        Damaged lines of `metrics.jsonl` are named, and moved to `damaged_metrics.jsonl`.

        Args:
          step: the step at which the run resumes.
          metric_names: names of the values in each report of the training; None if they are not known.

        Raises:
          RunError: the disk is full.
        """
        with files.writing(self.path):
            files.sweep(self.file(PICTURES))
            if os.path.exists(self.file(METRICS)):
                records, damaged = _read_reports(self.file(METRICS), metric_names)
                if damaged:
                    with open(self.file(f"damaged_{METRICS}"), "ab") as aside:
                        aside.writelines(line + b"\n" for line in damaged.values())
                    print(
                        f"warning: {_named(self.file(METRICS), damaged)}; kept in damaged_{METRICS}, while the run "
                        "goes on without.",
                        flush=True,
                    )
                files.write_text(
                    self.file(METRICS), "".join(json.dumps(r) + "\n" for r in records if r["step"] <= step)
                )
            for at, file in self.numbered_pictures():
                if at > step:
                    os.remove(file)
            files.sweep(self.file(TENSORBOARD))
            for path in manifest.listed(self.path):
                if "tfevents" in path and os.path.exists(self.file(path)):
                    _cut_events(self.file(path), step)

    def open_events(self) -> tf.summary.SummaryWriter:
        """A writer of a new file of TensorBoard's events."""
        folder = self.file(TENSORBOARD)
        os.makedirs(folder, exist_ok=True)
        before = set(os.listdir(folder))
        writer = tf.summary.create_file_writer(folder)
        for name in set(os.listdir(folder)) - before:
            manifest.add(self.path, TENSORBOARD, name)
        return writer


def check(path: str, config: configs.RunConfig) -> None:
    """Rejects a config that does not match the run in the folder, as far as known before the data are loaded.

    Args:
      path: the run's folder.
      config: the config of a run to start or to resume there.

    Raises:
      UsageError: the folder holds a run of another case, or with different values of the given fields; or other
        files and no run.
    """
    if not os.path.exists(os.path.join(path, CONFIG)):
        if others := manifest.foreign(path):
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            raise UsageError(
                f"--workdir is {path!r}, but it holds other files ({others[0]}{more}) and no run; it must be "
                "a new or empty folder, or that of a run."
            )
    elif not manifest.exists(path):
        raise UsageError(
            f"--workdir is {path!r}, but its config.json has no {manifest.NAME} beside it, which lists what the run "
            "wrote, so that it can be neither resumed nor replaced; restore the file, or use another --workdir, with "
            f"--init_from={path} to start from its weights."
        )
    elif config.overwrite:
        _check_checkpoints(path)
    elif config.init_from and files.is_same(config.init_from, path) and not _is_init_from(path, config.init_from):
        raise UsageError(
            f"--init_from is {config.init_from!r}, which is the run in --workdir itself; leave it out to resume that "
            "run, use another --workdir for a new one, or --overwrite to start over from its weights."
        )
    else:
        _check_config(path, config, [n for n, v in dataclasses.asdict(config).items() if v is None or n == "steps"])


def _is_init_from(path: str, init_from: str) -> bool:
    """Whether the run in a folder was started with this --init_from."""
    return read_record(path)["config"].get("init_from") == init_from


def _check_config(path: str, config: configs.RunConfig, unknown: Collection[str] = ()) -> dict:
    """Compares all fields but the `unknown` ones with the record in the folder; returns that record."""
    record = read_record(path)
    if record["case"] != config.case:
        raise UsageError(
            f"--workdir is {path!r}, but it holds a run of the case {record['case']!r}, not {config.case!r}; {_ADVICE}."
        )
    old = config.from_record(record["config"])
    differing = [name for name in configs.differences(config, old) if name not in unknown]
    if differing:
        name = differing[0]
        now, before = getattr(config, name), getattr(old, name)
        said = f"--{name} was not given" if now is None else f"--{name} is {now!r}"
        started = "without it" if before is None else f"with {before!r}"
        raise UsageError(f"{said}, but the run in --workdir={path} was started {started}; {_ADVICE}.")
    return record


def _check_checkpoints(path: str) -> None:
    """Rejects checkpoints that the run did not write: they would stay when it is removed, and confuse the next."""
    folder = os.path.join(path, CHECKPOINTS)
    listed = set(manifest.listed(path))
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.startswith("step_") and f"{CHECKPOINTS}/{name}" not in listed:
            raise UsageError(
                f"--overwrite was given, but the run in --workdir={path} did not write {CHECKPOINTS}/{name}; move it "
                "elsewhere first."
            )


def _missing_folders(path: str) -> list[str]:
    """The folders that have to be created for `path` to exist, the innermost first."""
    missing, folder = [], os.path.abspath(path)
    while not os.path.exists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


def _cut_events(path: str, step: int) -> None:
    """Drops the events after `step` from a TensorBoard file, and everything from a damaged record on."""
    kept = []
    with contextlib.suppress(tf.errors.DataLossError):
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            if tf.compat.v1.Event.FromString(record).step <= step:
                kept.append(record)
    with files.replacing(path) as file, tf.io.TFRecordWriter(os.fsencode(file.name)) as writer:
        for record in kept:
            writer.write(record)


def read_metrics(path: str) -> list[dict]:
    """Reads the reports in a run's `metrics.jsonl`; damaged lines are named and left out.

    An incomplete last line, left by a kill, is skipped.
    """
    try:
        records, damaged = _read_reports(os.path.join(path, METRICS))
    except FileNotFoundError:
        return []
    if damaged:
        print(f"warning: {_named(os.path.join(path, METRICS), damaged)}; left out.", file=sys.stderr)
    return records


def _named(path: str, damaged: Collection[int]) -> str:
    numbers = sorted(damaged)
    shown = ", ".join(f"{number:,}" for number in numbers[:5]) + (", ..." if len(numbers) > 5 else "")
    return f"{path}: line {shown} is damaged" if len(numbers) == 1 else f"{path}: lines {shown} are damaged"


def _read_reports(path: str, metric_names: Collection[str] | None = None) -> tuple[list[dict], dict[int, bytes]]:
    """The reports, and the damaged lines by their numbers: those that are no reports, and steps out of order."""
    with open(path, "rb") as file:
        *lines, _ = file.read().split(b"\n")  # the rest is incomplete
    reports: dict[int, dict] = {}
    for number, line in enumerate(lines, 1):
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line.decode())
            if _is_report(record, metric_names):
                reports[number] = record
    steps = [record["step"] for record in reports.values()]
    kept = [list(reports)[i] for i in _longest_rising(steps)]
    intact = set(kept)
    damaged = {number: line for number, line in enumerate(lines, 1) if number not in intact}
    return [reports[number] for number in kept], damaged


def _is_report(record: object, metric_names: Collection[str] | None) -> bool:
    def is_number(value: object) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    if not isinstance(record, dict) or not record.keys() <= {"step", "split", "values", "seconds"}:
        return False
    step, split, values = (record.get(name) for name in ("step", "split", "values"))
    if type(step) is not int or step < 0 or split not in ("train", "eval") or not isinstance(values, dict):
        return False
    if metric_names is not None and split == "train" and set(values) != set(metric_names):
        return False
    return is_number(record.get("seconds", 0)) and all(map(is_number, values.values()))


def _longest_rising(steps: Sequence[int]) -> list[int]:
    """The positions of the longest subsequence that never falls: a step out of order is damaged."""
    ends: list[int] = []  # of the subsequences of each length, the positions of the smallest last elements
    before: list[int | None] = []
    for i, step in enumerate(steps):
        length = bisect.bisect_right(ends, step, key=lambda j: steps[j])
        before.append(ends[length - 1] if length else None)
        ends[length : length + 1] = [i]
    found, at = [], ends[-1] if ends else None
    while at is not None:
        found.append(at)
        at = before[at]
    return found[::-1]


def _git_revision() -> str | None:
    """The commit of the git checkout, or None outside of one."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(tf2cases.__file__)))
    try:
        command = ["git", "-C", root, "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
