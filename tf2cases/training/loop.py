"""The training loop shared by all cases: run some steps, then the actions that are due.

`train` is the loop; `_Run` holds the actions.
"""

import dataclasses
import os
import signal

import tensorflow as tf

from tf2cases import nn
from tf2cases.configs import RunConfig
from tf2cases.data import pipeline
from tf2cases.data.source import Source
from tf2cases.errors import RunError
from tf2cases.training import checkpoints, distribution, manifest
from tf2cases.training.case import Case, evaluate
from tf2cases.training.clock import Clock
from tf2cases.training.initial import take_weights
from tf2cases.training.reporting import Reporter
from tf2cases.training.setup import build, check_length, checkpoint_space
from tf2cases.training.signals import Stopper
from tf2cases.training.steps import Progress, TracedSteps
from tf2cases.training.workdir import CHECKPOINTS, Workdir, read_metrics

# Approximate duration of one call of the traced steps: long enough that the overhead of a call is negligible, short
# enough for signals and the progress bar.
_SECONDS_PER_CALL = 0.5


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
      case: the trained case.
      config: its config, with `steps` computed.
      workdir: path of the run's folder.
      step: the total number of completed steps.
      values: the metrics of the last evaluation; empty if a signal stopped the run.
      examples_per_second: training speed of this process (see `Clock`); 0.0 if it ran too few steps to measure it.
      stopped_by: the number of the signal that stopped the run, or None.
    """

    case: Case
    config: RunConfig
    workdir: str
    step: int
    values: dict[str, float]
    examples_per_second: float
    stopped_by: int | None

    @property
    def exit_status(self) -> int:
        return 128 + self.stopped_by if self.stopped_by else 0


def train(case_class: type[Case], config: RunConfig) -> Result:
    """Trains a case in its workdir, or resumes the run found there.

    A run starts from the newest readable checkpoint in the workdir, or from scratch if there is none.

    Args:
      case_class: a subclass of `Case`.
      config: its `Config`, resolved (see `RunConfig.resolve`).

    Returns:
      A `Result`. After a signal, the run finishes the current steps, saves and ends; see `Result.stopped_by`.

    Raises:
      UsageError: bad input, or a workdir that holds another run or is in use.
      RunError: non-finite metrics, or a full disk.
    """
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    clock, strategy = Clock(), distribution.make(config.strategy)
    with Workdir(config.folder) as workdir:
        workdir.check(config)  # before loading the data, which may take minutes
        source = case_class.load(config)
        clock.loaded()
        config, case, progress = build(case_class, config, source, strategy)
        assert config.steps is not None
        assert config.batch_size is not None
        assert config.log_every is not None
        check_length(config)
        initial = ""
        if config.init_from and (config.overwrite or not checkpoints.steps(workdir.file(CHECKPOINTS))):
            initial = take_weights(case, config.init_from)
        workdir.claim(config, source)  # after the case has accepted the config: errors leave the folder unchanged
        saved = workdir.file(CHECKPOINTS)
        step = checkpoints.restore(saved, workdir.run, set_aside=True, case=case, progress=progress)
        workdir.cut_back(step or 0, case.metric_names)
        batches = pipeline.Batches(source.train, config.batch_size, nn.random.fold(config.seed, "order"), case.shuffle)
        traced = TracedSteps(case, batches, progress, strategy)

        run, last = _Run(case, source, workdir, progress, clock), config.steps
        cadences = (  # (steps between actions, action); 0 means once per epoch; at the last step all are due
            (config.log_every, run.report_training),
            (config.eval_every, run.report_evaluation),
            (config.sample_every or last, run.draw_samples),
            (config.pictures_every or last, run.draw_pictures),
            (last, run.draw_whole_run),
            (config.checkpoint_every, run.save),
        )
        with run.reporter, Stopper() as stopper:
            run.announce(initial)
            while run.step < last and not stopper.received:
                upcoming = min(_next_due(every, run.step, batches) for every, _ in cadences)
                count = min(upcoming, last, run.step + clock.steps_in(_SECONDS_PER_CALL)) - run.step
                started = clock.now()
                finite = bool(traced.many(count))  # waits for the device
                run.advance(clock.now() - started, finite, traced)
                for every, action in cadences:
                    if run.step in (last, _next_due(every, run.step - 1, batches)):
                        action()
            if run.step > run.saved_step:
                run.save()
        return run.conclude(stopper.received)


def _next_due(every: int, step: int, batches: pipeline.Batches) -> int:
    """The first step after `step` that is a multiple of `every` or, if that is 0, ends an epoch."""
    return (step // every + 1) * every if every else batches.end_of_epoch(step)


class _Run:
    """One process's part of a run: its actions, and its messages at the beginning and the end.

    Attributes:
      step: the total number of completed steps.
      saved_step: the step of the newest checkpoint.
      reporter: writes numbers and pictures.
    """

    def __init__(self, case: Case, source: Source, workdir: Workdir, progress: Progress, clock: Clock):
        self.case, self.source, self.workdir, self.progress, self.clock = case, source, workdir, progress, clock
        self.step = self.saved_step = int(case.step.numpy())
        self.history = read_metrics(workdir.path)
        self.values: dict[str, float] = {}  # from the last evaluation
        self.samples: dict = {}  # the latest ones
        earlier_seconds = self.history[-1].get("seconds", 0.0) if self.history else 0.0
        self.reporter = Reporter(workdir, case, clock, earlier_seconds)

    def announce(self, initial: str) -> None:
        """Prints what the run is; `initial` says where its weights start from, "" for random ones."""
        config = self.case.config
        self.reporter.print(self.case.describe(self.source))
        space = checkpoint_space(self.case, self.source)
        self.reporter.print(
            f"{config.name}: {self.source.examples:,} examples, {config.steps:,} step{'s'[: config.steps != 1]} of "
            f"{config.batch_size}, "
            f"{config.precision}, {distribution.device_name()}; workdir {self.workdir.path}, {space}"
        )
        if self.step:
            self.reporter.print(f"resuming from step {self.step:,}")
        elif initial:
            self.reporter.print(initial)
        if self.step < config.steps and type(self.case).progress_line is Case.progress_line:  # the usual lines
            held_out = sum(len(next(iter(split.values()))) for split in self.source.held_out.values())
            self.reporter.print(
                "train: means over the training examples since the line before, measured while they are learnt; eval: "
                f"over all {held_out:,} held-out examples, with the weights of that step"
            )

    def advance(self, seconds: float, finite: bool, traced: TracedSteps) -> None:
        """Records a call of the traced steps.

        Raises:
          RunError: its metrics were not finite.
        """
        first, before, self.step = self.clock.is_new, self.step, int(self.case.step.numpy())
        self.clock.ran(max(1, self.step - before), seconds)
        self.reporter.advance(self.step)
        if not finite:
            raise self._diverged()
        graph = traced.graph() if first else None
        if graph is not None:
            self.reporter.graph(graph)

    def _diverged(self) -> RunError:
        kept = checkpoints.steps(self.workdir.file(CHECKPOINTS))
        saved = f"the last checkpoint is of step {kept[-1]}" if kept else "no checkpoint was saved yet"
        clip = " or a --clip_norm" if hasattr(self.case.config, "clip_norm") else ""
        return RunError(
            f"the metrics became infinite or NaN at step {self.step}; {saved}, and a lower --learning_rate{clip} may "
            "help, with --overwrite to start over."
        )

    def report_training(self) -> None:
        self._report("train", self.progress.take())
        warning = self.case.warning(self.history)
        if warning:
            self.reporter.print(f"warning: at step {self.step}, {warning}")

    def report_evaluation(self) -> None:
        self.values = evaluate(self.case, self.source)
        self._report("eval", self.values)

    def _report(self, split: str, values: dict[str, float]) -> None:
        self.history.append({"step": self.step, "split": split, "values": values})
        self.reporter.metrics(self.step, split, values)

    def draw_samples(self) -> None:
        self.samples = self.case.samples()
        self.reporter.pictures(self.step, self.samples, numbered=True)

    def draw_pictures(self) -> None:
        numbered = bool(self.case.config.pictures_every)
        self.reporter.pictures(self.step, self.case.pictures(self.source), numbered)

    def draw_whole_run(self) -> None:
        """Draws curves, an animation of each sample, and the data of TensorBoard's projector."""
        self.reporter.pictures(self.step, self.case.curves(self.history), numbered=False)
        for name in self.samples:
            self.reporter.film(name, self.case.frames_per_second)
        embedding = self.case.embedding(self.source)
        if embedding is not None:
            self.reporter.projector(*embedding)

    def save(self) -> None:
        config, directory = self.case.config, self.workdir.file(CHECKPOINTS)
        self.reporter.flush()  # so that no report before the checkpoint is missing after a crash
        roots = {"case": self.case, "progress": self.progress}
        manifest.add(self.workdir.path, CHECKPOINTS, os.path.basename(checkpoints.path_of(directory, self.step)))
        checkpoints.save(directory, self.step, self.workdir.run, config.checkpoints_kept, **roots)
        self.saved_step = self.step

    def conclude(self, stopped_by: int | None) -> Result:
        """Prints how the run ended and returns its result.

        Args:
          stopped_by: the number of the signal that stopped the run, or None.
        """
        config, finished = self.case.config, self.step >= self.case.config.steps
        values = (self.values or evaluate(self.case, self.source)) if finished else {}
        if finished:
            print(self.case.conclude(self.source, values))
        print(self.clock.shares())
        if stopped_by:
            flag = " (without --overwrite)" if config.overwrite else ""
            name = signal.Signals(stopped_by).name
            print(f"{name}: saved at step {self.step:,}; the same command resumes from there{flag}.", flush=True)
        rate = self.clock.steps_per_second() * config.batch_size
        return Result(self.case, config, self.workdir.path, self.step, values, rate, stopped_by)
