"""The folder of a run: its lock, its config, and what is cut back when it is resumed."""

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import tensorflow as tf

import tf2cases
from tf2cases import configs
from tf2cases.errors import UsageError
from tf2cases.files import writing
from tf2cases.training import distribution

# What a run writes into its folder; `--overwrite` removes these and nothing else.
CONFIG, METRICS, CHECKPOINTS, TENSORBOARD, PICTURES = (
    "config.json",
    "metrics.jsonl",
    "checkpoints",
    "tensorboard",
    "pictures",
)
# What an evaluation of a GAN adds.
DISTANCES, BEST = "distances.jsonl", "best"

_ADVICE = "use another --workdir, or --overwrite to start anew"


def numbered_picture(name, step):
    """The file name of a picture of a step."""
    return f"{name}_{step:06d}.png"


def write_text(path, text):
    """Writes a file that is complete or absent: to a neighbour first, then renamed."""
    temporary = f"{path}.tmp-{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


class Workdir:
    """A run's folder, locked for this process until `close`.

    Args:
      path: the folder; made if it is not there.

    Raises:
      UsageError: another process trains there, or the folder cannot be made.
    """

    def __init__(self, path):
        self.path = path
        try:
            os.makedirs(path, exist_ok=True)
            # The operating system drops the lock when the process ends, however it ends.
            self._lock = open(os.path.join(path, ".lock"), "a+")
        except OSError as error:
            why = "is a file" if os.path.isfile(path) else f"cannot be written to: {error.strerror}"
            raise UsageError(f"--workdir is {path!r}, but it {why}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise UsageError(
                f"--workdir is {path!r}, but another process is training there; wait for it or name another folder."
            ) from error

    def close(self):
        """Lets other processes train here."""
        self._lock.close()

    def file(self, *names):
        """A path inside the folder."""
        return os.path.join(self.path, *names)

    def clear(self):
        """Removes what a run writes, and nothing else."""
        for name in (CONFIG, METRICS, CHECKPOINTS, TENSORBOARD, PICTURES, DISTANCES, BEST):
            path = self.file(name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)

    def check(self, config):
        """Refuses a run that a config does not fit, as far as that shows before the data are there.

        Raises:
          UsageError: the folder holds a run of another case, or with other values of the fields that were given.
        """
        if not config.overwrite and os.path.exists(self.file(CONFIG)):
            self._check_config(config, [n for n, v in dataclasses.asdict(config).items() if v is None or n == "steps"])

    def claim(self, config, info, examples=None):
        """Writes `config.json`, after checking that a run already here is this one.

        Args:
          config: the run's config, with `steps` worked out.
          info: the data source's info.
          examples: what tells its training examples from others, JSON-able.

        Raises:
          UsageError: the folder holds a run whose config would give other numbers.
          RunError: the disk is full.
        """
        if config.overwrite:
            self.clear()
        elif os.path.exists(self.file(CONFIG)):
            self._check_same(config, info, examples)
        record = {
            "case": config.case,
            "config": dataclasses.asdict(config),
            "info": dict(info),
            "examples": examples,
            "versions": {
                "tf2cases": tf2cases.__version__,
                "tensorflow": tf.__version__,
                "numpy": np.__version__,
                "python": sys.version.split()[0],
            },
            "device": distribution.device_name(),
            "revision": _git_revision(),
        }
        with writing(self.file(CONFIG)):
            write_text(self.file(CONFIG), json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def _check_config(self, config, unknown=()):
        """Compares all fields but the `unknown` ones; returns the record that is there."""
        record = read_record(self.path)
        if record["case"] != config.case:
            raise UsageError(
                f"--workdir is {self.path!r}, but it holds a run of the case {record['case']!r}, not "
                f"{config.case!r}; {_ADVICE}."
            )
        old = config.from_record(record["config"])
        differing = [name for name in configs.differences(config, old) if name not in unknown]
        if differing:
            name = differing[0]
            raise UsageError(
                f"--{name} is {getattr(config, name)!r}, but the run in --workdir={self.path} was started with "
                f"{getattr(old, name)!r}; {_ADVICE}."
            )
        return record

    def _check_same(self, config, info, examples):
        record = self._check_config(config)
        if json.loads(json.dumps([dict(info), examples])) != [record["info"], record.get("examples")]:
            raise UsageError(
                f"--dataset={config.dataset} has changed since the run in --workdir={self.path} was started; {_ADVICE}."
            )

    def numbered_pictures(self, name=None):
        """[(step, path)] of the pictures of a name, or of all, that were numbered by the step; in that order."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for file in os.listdir(self.file(PICTURES)):
                match = re.fullmatch(r"(.+)_(\d{6,})\.png", file)
                if match and name in (None, match[1]):
                    found.append((int(match[2]), self.file(PICTURES, file)))
        return sorted(found)

    def cut_back(self, step):
        """Removes what was reported after `step`, so that a resumed run reports it once.

        Raises:
          RunError: the disk is full.
        """
        with writing(self.path):
            self._cut_back(step)

    def _cut_back(self, step):
        if os.path.exists(self.file(METRICS)):
            kept = [json.dumps(r) + "\n" for r in read_metrics(self.path) if r["step"] <= step]
            write_text(self.file(METRICS), "".join(kept))
        for at, file in self.numbered_pictures():
            if at > step:
                os.remove(file)
        for folder, _, names in os.walk(self.file(TENSORBOARD)):
            for name in names:
                if name.endswith(".tmp"):  # left by a kill in the middle of this
                    os.remove(os.path.join(folder, name))
                elif "tfevents" in name:
                    _cut_events(os.path.join(folder, name), step)


def _cut_events(path, step):
    """Drops the events after `step` from a TensorBoard file; a record torn by a kill ends the file."""
    kept = []
    with contextlib.suppress(tf.errors.DataLossError):
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            if tf.compat.v1.Event.FromString(record).step <= step:
                kept.append(record)
    with tf.io.TFRecordWriter(path + ".tmp") as writer:
        for record in kept:
            writer.write(record)
    os.replace(path + ".tmp", path)


def read_record(path):
    """What `config.json` of a run's folder holds, as a dict.

    Raises:
      UsageError: there is no readable one.
    """
    file = os.path.join(path, CONFIG)
    try:
        with open(file, encoding="utf-8") as opened:
            record = json.load(opened)
    except FileNotFoundError as error:
        raise UsageError(f"--workdir is {path!r}, but there is no run in it ({file} is missing).") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"--workdir is {path!r}, but {file} cannot be read: {error}.") from error
    if not isinstance(record, dict) or not {"case", "config", "info"} <= record.keys():
        raise UsageError(f"--workdir is {path!r}, but {file} is not a run's: expected case, config and info in it.")
    return record


def read_metrics(path):
    """The reports of a run's `metrics.jsonl`, a list of dicts; a line torn by a kill is left out."""
    records = []
    with contextlib.suppress(FileNotFoundError), open(os.path.join(path, METRICS), encoding="utf-8") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                records.append(json.loads(line))
    return records


def _git_revision():
    """The checkout's commit, or None outside of one."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(tf2cases.__file__)))
    try:
        command = ["git", "-C", root, "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
