"""The contract of a case, and how a case is evaluated."""

import json
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf2cases import nn, viz
from tf2cases.configs import RunConfig
from tf2cases.data import pipeline
from tf2cases.data.source import Source
from tf2cases.errors import UsageError


class Case(tf.Module):
    """One machine-learning case: networks, optimizers and step counter in one object, which is checkpointed whole.

    A subclass must have the class attribute `Config` (a `RunConfig`), `load`, `train_step`, `evaluate`, `signatures`
    and `requests`; everything else has a default. Its constructor calls `super().__init__(config, info)` and makes
    every variable, with initial values drawn from `config.seed`.

    Args:
      config: the case's `Config`, with `steps` worked out.
      info: `Source.info`: facts about the data that JSON can hold, such as picture shape and class names. They are
        kept in `config.json`, so that the case can be rebuilt without the data.

    Attributes:
      info: as above.
      step: int64 variable, how many steps were made.
    """

    Config: type[RunConfig]

    def __init__(self, config: Any, info: Mapping[str, Any]):
        super().__init__(name=config.case)
        self.config = config
        self._info = nn.variables.untracked(types.MappingProxyType(dict(info)))
        self.step = nn.variables.counter("step")

    @property
    def info(self) -> Mapping[str, Any]:
        return self._info()

    # What a case must have

    @classmethod
    def load(cls, config: Any) -> Source:
        """The data that a config names."""
        raise NotImplementedError

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Makes one step on this replica's rows of a batch, in plain TensorFlow; the loop traces and repeats it.

        Returns:
          {name: float32 scalar} for `metric_names`, each a mean over the rows. One that is not finite stops the run.
        """
        raise NotImplementedError

    def evaluate(self, dataset: tf.data.Dataset) -> dict[str, float]:
        """Metrics over every example of a split, given as a dataset of batches, each counted exactly once."""
        raise NotImplementedError

    def signatures(self) -> dict[str, Callable]:
        """What the case answers once it is served: {name: tf.function with an input signature}."""
        raise NotImplementedError

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        """A valid request of a few rows for each signature, for warm-up and for checking an export.

        Returns:
          {signature: {input name: array [n, ...]}}.
        """
        raise NotImplementedError

    # What a case may change: training

    @property
    def metric_names(self) -> Sequence[str]:
        """Names of the scalars that `train_step` returns, in the order in which they are reported."""
        return ("loss",)

    # Whether the training examples are visited in a new random order each epoch.
    shuffle = True

    def prepare(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Augments a global batch before `train_step`: traced, but outside of what XLA compiles.

        Some operations for augmentation have no XLA kernel.
        """
        return batch

    @staticmethod
    def compile_on(device_type: str, config: Any) -> bool:
        """Whether --jit=auto compiles the step with XLA on 'CPU' or 'GPU': where that was measured to be faster."""
        del device_type, config
        return False

    def optimizer_options(self) -> dict[str, Any]:
        """What every optimizer of `nn` takes besides its variables and its own constants, as the config says."""
        config = self.config
        schedule = nn.schedules.make(config.schedule, config.learning_rate, config.steps, config.warmup_steps)
        return dict(
            # The case's step and not the optimizer's own count: a GAN updates its generator twice per step.
            learning_rate=lambda updates: schedule(self.step),
            clip_norm=config.clip_norm,
            loss_scale=nn.precision.loss_scale(config.precision),
        )

    # What a case may change: evaluation and export

    @classmethod
    def load_test(cls, config: Any, info: Mapping[str, Any]) -> Source:
        """The data that a trained case is evaluated on.

        Args:
          config: the case's config, perhaps with another place to look for the data.
          info: `Source.info` of the training data.

        Raises:
          UsageError: the data are of another kind than those.
        """
        source = cls.load(config)
        if json.loads(json.dumps(dict(source.info))) != dict(info):
            raise UsageError(f"--dataset={config.dataset} is of another kind now than what the case was trained on.")
        return source

    # The largest difference of an export's answers from the live case's, as a part of the largest value.
    export_tolerance = 1e-5

    # What a case may change: what is shown

    def describe(self, source: Source) -> str:
        """The text printed at the start of a run; by default the table of the case's layers."""
        del source
        return nn.summary([part for part in vars(self).values() if isinstance(part, nn.Layer)])

    def progress_line(self, step: int, split: str, values: dict[str, float]) -> str | None:
        """The line printed for a report if there is no progress bar; "" for none, None for the loop's own."""
        del step, split, values
        return None

    def conclude(self, source: Source, values: dict[str, float]) -> str:
        """The headline numbers, printed at the end of a run; by default the metrics of the last evaluation."""
        del source
        return "Evaluation: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()) + "."

    def warning(self, history: list[dict]) -> str:
        """A sentence of advice after a report of training metrics, "" for none; `history` as in `curves`."""
        del history
        return ""

    def pictures(self, source: Source) -> dict[str, np.ndarray]:
        """Pictures of what the case has learnt: {name: uint8 [H, W, C]}."""
        del source
        return {}

    def samples(self) -> dict[str, np.ndarray]:
        """Pictures of how far the case has come, on the same inputs each time: {name: uint8 [H, W, C]}.

        They are drawn every `config.sample_every` steps and at the end, numbered by the step; at the end all of them
        become the film `NAMEs.gif`.
        """
        return {}

    @property
    def frames_per_second(self) -> float:
        """How fast the film of `samples` is shown."""
        return 10

    def curves(self, history: list[dict]) -> dict[str, np.ndarray]:
        """Charts of all reports of a run (see `workdir.read_metrics`): {name: uint8 [H, W, C]}."""
        return {"curves": viz.training_curves(history)}

    def embedding(self, source: Source) -> tuple[np.ndarray, Sequence, np.ndarray] | None:
        """What TensorBoard's projector shows at the end of a run, or None.

        Returns:
          (vectors float32 [N, n], labels [N], pictures uint8 [N, H, W, C]).
        """
        del source
        return None


def evaluate(case: Case, source: Source, batch_size: int = 500) -> dict[str, float]:
    """The case's metrics over every example of each held-out split; `test_loss` and so on if there are several."""
    values: dict[str, float] = {}
    for split, arrays in source.held_out.items():
        prefix = f"{split}_" if len(source.held_out) > 1 else ""
        metrics = case.evaluate(pipeline.in_order(arrays, batch_size))
        values |= {prefix + name: float(value) for name, value in metrics.items()}
    return values
