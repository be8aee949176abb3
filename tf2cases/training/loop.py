"""The training loop that every case shares.

Many steps run in one call of one traced function: it draws the batch's indices, gathers and prepares the batch, and
calls the case's step, which XLA compiles or not. Between calls, Python reports, evaluates, saves and looks for signals.
What is computed does not depend on how the steps are cut into calls.
"""

import contextlib
import dataclasses
import os
import signal
import zlib

import numpy as np
import tensorflow as tf

from tf2cases import nn
from tf2cases.data import pipeline
from tf2cases.errors import RunError, UsageError
from tf2cases.training import checkpoints, distribution
from tf2cases.training.clock import Clock
from tf2cases.training.reporting import Reporter
from tf2cases.training.signals import Stopper
from tf2cases.training.workdir import CHECKPOINTS, Workdir, read_metrics

# A call lasts about this many seconds: long enough to cost nothing, short enough for signals and the progress bar.
_SECONDS_PER_CALL = 0.5
EVALUATION_BATCH = 500


@dataclasses.dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
      case: the trained case.
      config: its config, with `steps` worked out.
      workdir: path of the run's folder.
      step: how many steps it has made in all.
      values: {name: float} of the last evaluation; empty when a signal stopped the run.
      examples_per_second: of this process, without compilation, evaluation and saving; 0.0 if it made no step.
      stopped_by: the signal's number, or None.
    """

    case: object
    config: object
    workdir: str
    step: int
    values: dict
    examples_per_second: float
    stopped_by: int | None

    @property
    def exit_status(self):
        return 128 + self.stopped_by if self.stopped_by else 0


class Progress(tf.Module):
    """Sums of the training metrics since the last report; in the checkpoint, so that resuming changes no report."""

    def __init__(self, names):
        super().__init__(name="progress")
        self.names = nn.variables.untracked(names)
        self.sums = tf.Variable(tf.zeros([len(names)], tf.float64), trainable=False, name="sums")
        self.count = tf.Variable(tf.zeros([], tf.float64), trainable=False, name="count")

    def take(self):
        """{name: mean} since the last call."""
        means = (self.sums / self.count).numpy()
        self.sums.assign(tf.zeros_like(self.sums))
        self.count.assign(0.0)
        return dict(zip(self.names(), map(float, means), strict=True))


class Trainer:
    """The traced part: runs steps of a case on batches, under a strategy.

    Args:
      case: the case, made under the strategy's scope.
      batches: a `pipeline.Batches`.
      strategy: a tf.distribute strategy.

    Attributes:
      progress: sums of the training metrics, to be saved with the case.
    """

    def __init__(self, case, batches, strategy):
        config, replicas = case.config, strategy.num_replicas_in_sync
        if config.jit == "on" and replicas > 1:
            raise UsageError(f"--jit is 'on', but must be 'off' or 'auto' with {replicas} replicas.")
        device = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        jit = config.jit == "on" or (config.jit == "auto" and replicas == 1 and case.compile_on(device, config))
        self._case, self._batches, self._strategy = case, batches, strategy
        # A function of its own, so that XLA compiles the step and not the drawing of batches. With several replicas
        # the loop's trace holds the steps of all of them.
        self._step = tf.function(case.train_step, jit_compile=jit or None) if replicas == 1 else case.train_step
        self._run = tf.function(self._steps)
        self._iterator = self._batch_spec = None
        with strategy.scope():
            self.progress = Progress(case.metric_names)

    def run(self, count):
        """Runs `count` steps, or fewer when one gives metrics that are not finite.

        Returns:
          True, or False when it stopped early; the case's step then is the number of the bad one.
        """
        if not self._batches.in_memory and self._iterator is None:
            self._iterator = iter(self._batches.dataset(int(self._case.step.numpy())))
        return bool(self._run(tf.constant(count, tf.int64), self._iterator))

    def graph(self):
        """The tf.Graph of the step that was traced; None before the first `run` and with several replicas."""
        if self._batch_spec is None or self._strategy.num_replicas_in_sync > 1:
            return None
        return self._step.get_concrete_function(self._batch_spec).graph

    def _steps(self, count, iterator):
        case, strategy, progress = self._case, self._strategy, self.progress
        finite, done = tf.constant(True), tf.zeros([], tf.int64)
        while finite and done < count:
            batch = self._next_batch(iterator)
            values = strategy.run(self._step, (distribution.split(strategy, batch),))
            values = [strategy.reduce(tf.distribute.ReduceOp.MEAN, values[n], axis=None) for n in case.metric_names]
            values = tf.cast(tf.stack(values), tf.float64)
            finite = tf.reduce_all(tf.math.is_finite(values))
            progress.sums.assign_add(values)
            progress.count.assign_add(1.0)
            case.step.assign_add(1)
            done += 1
        return finite

    def _next_batch(self, iterator):
        batch = self._batches.batch(self._case.step.read_value()) if iterator is None else next(iterator)
        batch = self._case.prepare(batch)
        # Without the tensors' names, with which `graph` would trace the step a second time.
        self._batch_spec = tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), batch)
        return batch


def train(case_class, config):
    """Trains a case, or goes on with it, in `config.workdir`.

    Where to start is decided in this order: the newest readable checkpoint of the workdir; else from scratch.

    Args:
      case_class: a `Case`.
      config: its `Config`, resolved (see `RunConfig.resolve`).

    Returns:
      A `Result`. A signal ends the run after the current steps, saved; see `Result.stopped_by`.

    Raises:
      UsageError: bad input, or a workdir that holds another run or is in use.
      RunError: a loss that is not finite, or a full disk.
    """
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    path = config.workdir or os.path.join("runs", config.name)
    clock = Clock()
    strategy = distribution.make(config.strategy)
    workdir = Workdir(path)
    try:
        workdir.check(config)  # before the data, which may take minutes to get
        source = case_class.load(config)
        clock.loaded()
        config = config.with_examples(len(next(iter(source.train.values()))))
        distribution.check_batch_size(config.batch_size, strategy)
        try:
            with strategy.scope():
                case = case_class(config, source.info)
        except ValueError as error:  # from a layer, say of pictures that are smaller than a window
            raise UsageError(f"a {config.name} cannot be made for this data: {error}") from error
        return _Run(case, source, workdir, strategy, clock).run()
    finally:
        workdir.close()


def _fingerprint(arrays):
    """What tells a training set from another, cheaply: how many examples, and a checksum of all but the pictures."""
    small = [np.ascontiguousarray(array) for name, array in sorted(arrays.items()) if name != "images"]
    checksum = 0
    for array in small:
        checksum = zlib.crc32(array.tobytes(), checksum)
    return {"examples": len(next(iter(arrays.values()))), "crc32": checksum}


class _Run:
    """One process's part of a run."""

    def __init__(self, case, source, workdir, strategy, clock):
        self.case, self.source, self.workdir, self.config = case, source, workdir, case.config
        self.clock = clock
        seed = nn.random.fold(self.config.seed, "order")
        self.batches = pipeline.Batches(source.train, self.config.batch_size, seed, case.shuffle)
        self.trainer = Trainer(case, self.batches, strategy)
        # Not before the case and its trainer took the config: a mistake that they find leaves the folder as it was.
        workdir.claim(self.config, source.info, _fingerprint(source.train))
        restored = checkpoints.restore(workdir.file(CHECKPOINTS), **self._saved())
        self.step = restored or 0
        workdir.cut_back(self.step)
        self.history = read_metrics(workdir.path)
        self.reporter = Reporter(workdir, case, self.config.steps, self.step, self.config.batch_size, self.clock)

    def _saved(self):
        return dict(case=self.case, progress=self.trainer.progress)

    def run(self):
        config, reporter = self.config, self.reporter
        reporter.print(self.case.describe(self.source))
        reporter.print(
            f"{config.name}: {self.batches.examples:,} examples, {config.steps:,} steps of {config.batch_size}, "
            f"{config.precision}, {distribution.device_name()}; workdir {self.workdir.path}"
        )
        if self.step:
            reporter.print(f"going on from step {self.step:,}")
        try:
            with Stopper() as stopper:
                values = self._train(stopper)
        except BaseException:
            with contextlib.suppress(RunError):  # on a full disk; what went wrong first is to be told
                reporter.close()
            raise
        reporter.close()
        if values:
            print(self.case.conclude(self.source, values))
        print(self.clock.shares())
        if stopper.received:
            name = signal.Signals(stopper.received).name
            anew = " (without --overwrite)" if config.overwrite else ""
            print(f"{name}: saved at step {self.step:,}; the same command goes on from there{anew}.", flush=True)
        return Result(
            self.case, config, self.workdir.path, self.step, values,
            self.clock.steps_per_second() * config.batch_size, stopper.received,
        )  # fmt: skip

    def _train(self, stopper):
        """Runs to the end or a signal; returns the last evaluation's values, {} after a signal."""
        config, last = self.config, self.config.steps
        if self.step >= last:
            return self._evaluate()
        values = {}
        sample_every = config.sample_every or last
        cadences = (
            config.log_every, config.eval_every, config.checkpoint_every, config.pictures_every or last, sample_every
        )  # fmt: skip
        first = True
        while self.step < last and not stopper.received:
            end = min([last] + [self._next_due(self.step, every) for every in cadences])
            self._run_steps(min(end - self.step, self.clock.steps_in(_SECONDS_PER_CALL)), first)
            if first:
                graph = self.trainer.graph()
                if graph is not None:
                    self.reporter.graph(graph)
            first, done = False, self.step == last
            if done or self._due(config.log_every):
                self._report("train", self.trainer.progress.take())
                warning = self.case.warning(self.history)
                if warning:
                    self.reporter.print(f"warning: at step {self.step}, {warning}")
            if done or self._due(config.eval_every):
                values = self._evaluate()
                self._report("eval", values)
            if done or self._due(sample_every):
                samples = self.case.samples()
                self.reporter.pictures(self.step, samples, numbered=True)
            if done or (config.pictures_every and self._due(config.pictures_every)):
                self.reporter.pictures(self.step, self.case.pictures(self.source), numbered=bool(config.pictures_every))
            if done:
                self._finish(samples)
            if done or stopper.received or self._due(config.checkpoint_every):
                self._save()
        return {} if self.step < last else values

    def _report(self, split, values):
        self.history.append({"step": self.step, "split": split, "values": values})
        self.reporter.metrics(self.step, split, values)

    def _run_steps(self, count, first):
        before = self.clock.now()
        finite = self.trainer.run(count)
        step = int(self.case.step.numpy())
        self.clock.ran(max(1, step - self.step), self.clock.now() - before, counts=not first)
        self.step = step
        self.reporter.advance(step)
        if not finite:
            kept = checkpoints.steps(self.workdir.file(CHECKPOINTS))
            saved = f"the last checkpoint is of step {kept[-1]}" if kept else "no checkpoint was saved yet"
            clip = " or a --clip_norm" if hasattr(self.config, "clip_norm") else ""
            raise RunError(
                f"the metrics became infinite or NaN at step {step}; {saved}, and a lower "
                f"--learning_rate{clip} may help, with --overwrite to start anew."
            )

    def _evaluate(self):
        values = self.case.evaluate(pipeline.in_order(self.source.test, EVALUATION_BATCH))
        return {name: float(value) for name, value in values.items()}

    def _finish(self, films):
        """What is drawn of the whole run, with a film of each name in `films`."""
        case, reporter = self.case, self.reporter
        reporter.pictures(self.step, case.curves(self.history), numbered=False)
        for name in films:
            reporter.film(name, case.frames_per_second)
        embedding = case.embedding(self.source)
        if embedding is not None:
            reporter.projector(*embedding)

    def _save(self):
        self.reporter.flush()
        checkpoints.save(
            self.workdir.file(CHECKPOINTS), self.step, self.config.checkpoints_kept, **self._saved()
        )  # fmt: skip

    def _next_due(self, step, every):
        """The first step after `step` at which something is due that happens every so many steps; 0: once an epoch."""
        if every:
            return (step // every + 1) * every
        examples, batch_size = self.batches.examples, self.config.batch_size
        epoch = step * batch_size // examples + 1
        return -(-epoch * examples // batch_size)

    def _due(self, every):
        return self._next_due(self.step - 1, every) == self.step
