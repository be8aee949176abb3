"""The base class of cases, and their evaluation."""

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
    """A machine-learning case: networks, optimizers and step counter in one object, which is checkpointed as a whole.

    A subclass must define the class attribute `Config` (a `RunConfig`), `load`, `train_step`, `evaluate`, `signatures`
    and `requests`; everything else has a default. Its constructor calls `super().__init__(config, info)` and creates
    all variables, with initial values drawn from `config.seed`.

    Args:
      config: the case's `Config`, with `steps` computed.
      info: `Source.info`: JSON-serializable facts about the data, such as picture shape and class names. They are saved
        in `config.json`, so that the case can be rebuilt without the data.

    Attributes:
      info: as above.
      step: int64 variable, the number of completed steps.
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

    # Required

    @classmethod
    def load(cls, config: Any) -> Source:
        """Loads the data that a config names."""
        raise NotImplementedError

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Runs one training step on this replica's rows of a batch, in TensorFlow; the loop traces and repeats it.

        Returns:
          {name: float32 scalar} for `metric_names`, each a mean over the rows. A non-finite value stops the run.
        """
        raise NotImplementedError

    def evaluate(self, dataset: tf.data.Dataset) -> dict[str, float]:
        """Computes metrics over a split, a dataset of batches; every example counts exactly once."""
        raise NotImplementedError

    def signatures(self) -> dict[str, Callable]:
        """The functions that the exported case serves: {name: tf.function with an input signature}."""
        raise NotImplementedError

    def requests(self) -> dict[str, dict[str, np.ndarray]]:
        """A valid request with a few rows for each signature, to warm up and to check an export.

        Returns:
          {signature: {input name: array [n, ...]}}.
        """
        raise NotImplementedError

    # Optional: serving

    def units(self) -> dict[str, str]:
        """What the numbers of inputs and outputs are, for the model card: {name: text}."""
        return {}

    # Optional: training

    @property
    def metric_names(self) -> Sequence[str]:
        """Names of the scalars that `train_step` returns, in reporting order."""
        return ("loss",)

    # Whether the training examples are visited in a new random order each epoch.
    shuffle = True

    def prepare(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Augments a global batch before `train_step`; traced, but never compiled by XLA.

        Some augmentation operations have no XLA kernel.
        """
        return batch

    @staticmethod
    def compile_on(device_type: str, config: Any) -> bool:
        """Whether --jit=auto compiles the step with XLA on 'CPU' or 'GPU'; True where measured to be faster."""
        del device_type, config
        return False

    def optimizer_options(self) -> dict[str, Any]:
        """The arguments that all optimizers of `nn` share, apart from their variables, as set by the config."""
        config = self.config
        schedule = nn.schedules.make(config.schedule, config.learning_rate, config.steps, config.warmup_steps)
        return dict(
            # The case's step, not the optimizer's own count: a GAN updates its generator twice per step.
            learning_rate=lambda updates: schedule(self.step),
            clip_norm=config.clip_norm,
            loss_scale=nn.precision.loss_scale(config.precision),
        )

    # Optional: evaluation and export

    @classmethod
    def load_test(cls, config: Any, info: Mapping[str, Any]) -> Source:
        """Loads the data that a trained case is evaluated on.

        Args:
          config: the case's config, possibly with another location of the data.
          info: `Source.info` of the training data.

        Raises:
          UsageError: the `info` of the data differs from that of the training data.
        """
        source = cls.load(config)
        if json.loads(json.dumps(dict(source.info))) != dict(info):
            raise UsageError(f"--dataset={config.dataset} no longer matches the data that the case was trained on.")
        return source

    # Largest allowed difference between the outputs of an export and the live case, relative to the largest value.
    export_tolerance = 1e-5

    # Optional: reports and pictures

    def describe(self, source: Source) -> str:
        """The text printed at the start of a run; by default a table for each of the case's networks.

        Trainable variables that belong to no layer follow in a table of their own.
        """
        del source
        networks = _networks(self, set())
        averages = [part for part in self.submodules if isinstance(part, nn.ExponentialMovingAverage)]
        parts: list[tf.Module] = [*networks, *averages]
        listed = {v.ref() for part in parts for v in part.variables}
        return nn.summary(networks, [v for v in self.trainable_variables if v.ref() not in listed])

    def progress_line(self, step: int, split: str, values: dict[str, float]) -> str | None:
        """The line printed for a report; "" for none, None for the default line of the loop."""
        del step, split, values
        return None

    def conclude(self, source: Source, values: dict[str, float]) -> str:
        """The headline numbers, printed at the end of a run; by default the metrics of the last evaluation."""
        del source
        return "Evaluation: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()) + "."

    def warning(self, history: list[dict]) -> str:
        """Advice to print after a report of training metrics, "" for none; `history` as in `curves`."""
        del history
        return ""

    def pictures(self, source: Source) -> dict[str, np.ndarray]:
        """Pictures that show what the case has learnt: {name: uint8 [H, W, C]}."""
        del source
        return {}

    def samples(self) -> dict[str, np.ndarray]:
        """Pictures that show the progress of training, from the same inputs each time: {name: uint8 [H, W, C]}.

        They are drawn every `config.sample_every` steps and at the end, and numbered by the step. At the end they are
        combined into the animation `NAMEs.gif`; with more than 20 of them, into one of 20 that are evenly spaced.
        """
        return {}

    @property
    def frames_per_second(self) -> float:
        """Frame rate of the animation of `samples`."""
        return 10

    def curves(self, history: list[dict]) -> dict[str, np.ndarray]:
        """Charts of all reports of a run (see `workdir.read_metrics`): {name: uint8 [H, W, C]}."""
        return {"curves": viz.training_curves(history)}

    def embedding(self, source: Source) -> tuple[np.ndarray, Sequence, np.ndarray] | None:
        """Data for TensorBoard's projector at the end of a run, or None.

        Returns:
          (vectors float32 [N, n], labels [N], pictures uint8 [N, H, W, C]).
        """
        del source
        return None


def _networks(module: tf.Module, seen: set[int]) -> list[nn.Layer]:
    """The outermost layers in a module, in the order of assignment; moving averages are copies and do not count."""
    found: list[nn.Layer] = []
    for part in vars(module).values():
        if not isinstance(part, tf.Module) or isinstance(part, nn.ExponentialMovingAverage) or id(part) in seen:
            continue
        seen.add(id(part))
        found += [part] if isinstance(part, nn.Layer) else _networks(part, seen)
    return found


def evaluate(case: Case, source: Source, batch_size: int = 500) -> dict[str, float]:
    """Computes the case's metrics on each held-out split; with several, names get a prefix (`test_loss`)."""
    values: dict[str, float] = {}
    for split, arrays in source.held_out.items():
        prefix = f"{split}_" if len(source.held_out) > 1 else ""
        metrics = case.evaluate(pipeline.in_order(arrays, batch_size))
        values |= {prefix + name: float(value) for name, value in metrics.items()}
    return values
