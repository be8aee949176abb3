"""Writes a run's numbers and pictures to metrics.jsonl, TensorBoard, picture files and the terminal."""

import contextlib
import json
import os
import sys
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tf2cases import viz
from tf2cases.errors import RunError
from tf2cases.files import writing
from tf2cases.training import manifest, projector
from tf2cases.training import workdir as workdirs
from tf2cases.training.case import Case
from tf2cases.training.clock import Clock, duration

_FILM_FRAMES, _FILM_BYTES = 20, 2_000_000  # the largest animation that a run leaves


class Reporter:
    """Writes the reports of a run; a context manager. A full disk makes any method raise a RunError.

    Args:
      workdir: the run's folder.
      case: the case; its `step` is where this process starts.
      clock: measures elapsed time and speed.
      earlier_seconds: time that the run took in earlier processes.
    """

    def __init__(self, workdir: workdirs.Workdir, case: Case, clock: Clock, earlier_seconds: float):
        self._workdir, self._case, self._clock = workdir, case, clock
        self._earlier_seconds = earlier_seconds
        self._steps, self._batch_size = case.config.steps, case.config.batch_size
        with self._writing():
            self._metrics = open(workdir.file(workdirs.METRICS), "a", encoding="utf-8")
            self._writer = workdir.open_events()
        self._bar = None
        if sys.stderr.isatty():
            step = int(case.step.numpy())
            self._bar = tqdm(total=self._steps, initial=step, unit="step", dynamic_ncols=True, smoothing=0.1)

    def _writing(self):
        return writing(self._workdir.path)

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: object) -> None:
        # Keep the first error, even if closing the files then fails too because the disk is full.
        with contextlib.suppress(RunError) if error else contextlib.nullcontext():
            self.close()

    def close(self) -> None:
        """Ends the progress bar and closes the files."""
        if self._bar is not None:
            self._bar.close()
        with self._writing():
            self._writer.close()
            self._metrics.close()

    def print(self, text: str) -> None:
        """Prints a line without disturbing the progress bar."""
        if self._bar is not None:
            self._bar.write(text)
        else:
            print(text, flush=True)

    def advance(self, step: int) -> None:
        """Moves the progress bar to `step`."""
        if self._bar is not None:
            rate = self._clock.steps_per_second() * self._batch_size
            self._bar.set_postfix_str(f"{rate:,.0f} examples/s", refresh=False)
            self._bar.update(step - self._bar.n)

    def metrics(self, step: int, split: str, values: dict[str, float]) -> None:
        """Reports {name: float} of a split ('train', 'eval') at a step."""
        seconds = round(self._earlier_seconds + self._clock.elapsed(), 3)
        record = {"step": step, "split": split, "values": values, "seconds": seconds}
        rate = self._clock.steps_per_second() * self._batch_size
        with self._writing(), self._writer.as_default(step=step):
            self._metrics.write(json.dumps(record) + "\n")
            self._metrics.flush()
            for name, value in values.items():
                tf.summary.scalar(f"{split}/{name}", value)
            if split == "train" and rate:
                tf.summary.scalar("time/examples_per_second", rate)
        line = self._case.progress_line(step, split, values)
        if line is None and (self._bar is None or split == "eval"):
            numbers = "  ".join(
                f"{name} {value:{',.0f' if value.is_integer() else '.4f'}}" for name, value in values.items()
            )
            line = f"step {step}/{self._steps}  {split:5}  {numbers}"
            if split == "train" and rate:
                left = (self._steps - step) * self._batch_size / rate
                line += f"  {rate:,.0f} examples/s, {duration(left)} left"
        if line:
            self.print(line)

    def pictures(self, step: int, pictures: dict[str, np.ndarray], numbered: bool) -> None:
        """Writes {name: uint8 [H, W, C]} to TensorBoard and as PNG files, named by the step if `numbered`."""
        with self._writing(), self._writer.as_default(step=step):
            for name, image in pictures.items():
                file = workdirs.numbered_picture(name, step) if numbered else f"{name}.png"
                viz.write_png(self._workdir.own(workdirs.PICTURES, file), image)
                tf.summary.image(name, image[None])

    def film(self, name: str, frames_per_second: float) -> None:
        """Combines the numbered pictures of a name into an animation, `NAMEs.gif`.

        It has at most 20 of them, evenly spaced from the first to the last, and at most 2 MB (see `viz.write_gif`).
        """
        with self._writing():
            paths = [path for _, path in self._workdir.numbered_pictures(name)]
            shown = np.rint(np.linspace(0, len(paths) - 1, min(len(paths), _FILM_FRAMES))).astype(int)
            frames = [viz.read_png(paths[i]) for i in shown]
            path = self._workdir.own(workdirs.PICTURES, f"{name}s.gif")
            viz.write_gif(path, frames, frames_per_second, _FILM_BYTES)

    def projector(self, vectors: np.ndarray, labels: Sequence, pictures: np.ndarray) -> None:
        """Shows points in TensorBoard's projector (see `projector.write`)."""
        with self._writing():
            for name in projector.FILES:
                manifest.add(self._workdir.path, workdirs.TENSORBOARD, name)
            projector.write(self._workdir.file(workdirs.TENSORBOARD), vectors, labels, pictures)

    def graph(self, graph: tf.Graph) -> None:
        """Shows the traced step in TensorBoard, with its name scopes."""
        with self._writing(), self._writer.as_default():
            tf.summary.graph(graph)

    def flush(self) -> None:
        """Forces everything reported so far to disk."""
        with self._writing():
            os.fsync(self._metrics.fileno())
            self._writer.flush()
