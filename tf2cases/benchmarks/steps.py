"""Training steps of this project's cases on random data, for benchmarks."""

import contextlib
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from tf2cases.benchmarks import rounds
from tf2cases.errors import RunError, UsageError

if TYPE_CHECKING:
    import tensorflow as tf

    from tf2cases.training import Case


@dataclasses.dataclass(frozen=True)
class MeasuredCase:
    """A case to be measured.

    Attributes:
      case: its name in `cases.REGISTRY`.
      info: the `Source.info` of its data source.
      flags: {config field: value} of the fields that differ from their defaults.
      labels: the shape of one example's labels, integers from 0 to 9; None if there are none.
    """

    case: str
    info: Mapping[str, Any]
    flags: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    labels: tuple[int, ...] | None = None

    def arrays(self, examples: int) -> dict[str, np.ndarray]:
        """Random pictures, and labels if the case needs them, in the shape of the real set."""
        rng = np.random.default_rng(0)
        arrays = {"images": rng.integers(0, 256, [examples, *self.info["image_shape"]], np.uint8)}
        if self.labels is not None:
            arrays["labels"] = rng.integers(0, 10, [examples, *self.labels]).astype(np.uint8)
        if self.flags.get("fixed_noise"):
            arrays["noisy"] = rng.integers(0, 256, arrays["images"].shape, np.uint8)
        return arrays

    def make(self, **flags: Any) -> "Case":
        """Creates the untrained case, with further config fields."""
        from tf2cases import cases

        case_class = cases.REGISTRY[self.case]
        return case_class(case_class.Config(**self.flags, steps=10**9, epochs=None, **flags), self.info)


_DIGITS_INFO = {"image_shape": [28, 28, 1], "class_names": list("0123456789")}
_CAPTCHAS_INFO = {"image_shape": [60, 160, 1], "charset": "0123456789", "length": 4}
CASES = {
    "mnist_mlp": MeasuredCase("mnist", _DIGITS_INFO, {"model": "mlp"}, labels=()),
    "mnist_cnn": MeasuredCase("mnist", _DIGITS_INFO, {"model": "cnn"}, labels=()),
    "captcha": MeasuredCase("captcha", _CAPTCHAS_INFO, labels=(4,)),
    "captcha_original": MeasuredCase("captcha", _CAPTCHAS_INFO, {"model": "original", "loss": "binary"}, labels=(4,)),
    "vae": MeasuredCase("vae", _DIGITS_INFO),
    "autoencoder": MeasuredCase("autoencoder", _DIGITS_INFO, {"model": "original"}),
    "autoencoder_original": MeasuredCase(
        "autoencoder",
        _DIGITS_INFO,
        {"model": "original", "optimizer": "adadelta", "learning_rate": 1.0, "fixed_noise": True},
    ),
    "autoencoder_skip": MeasuredCase("autoencoder", _DIGITS_INFO, {"model": "skip"}),
    "dcgan_digits": MeasuredCase("dcgan", _DIGITS_INFO),
    "dcgan_faces": MeasuredCase("dcgan", {"image_shape": [64, 64, 3]}, {"dataset": "celeba"}),
}


def define_cases(values: flags.FlagValues, names: Sequence[str]) -> None:
    """Defines --cases, all by default."""
    flags.DEFINE_list("cases", list(names), f"Cases, separated by commas: {', '.join(names)}.", flag_values=values)


def check_cases(values: flags.FlagValues, names: Sequence[str]) -> None:
    """Raises UsageError if --cases is empty or has a name that is not one of these."""
    for name in values.cases or [""]:
        if name not in names:
            raise UsageError(f"--cases has {name!r}, but must be one or more of {', '.join(names)}.")


class Steps:
    """The traced part of the training loop, for one case.

    Attributes:
      batch_size: examples per step.
      parameters: number of trainable parameters.
      first_seconds: the seconds that tracing, compiling and the first two steps took.
    """

    def __init__(self, measured: MeasuredCase, arrays: Mapping[str, np.ndarray] | None, **flags: Any):
        """Traces and compiles the step, and runs two.

        Args:
          measured: the case.
          arrays: the training set, from which each step draws a new batch as in training; None for one batch that
            stays on the device, so that data transfer is not measured.
          **flags: further fields of the case's config, such as `precision` and `jit`.

        Raises:
          RunError: the metrics of a step are not finite; `measure` raises this, too.
        """
        from tf2cases import nn
        from tf2cases.data import pipeline
        from tf2cases.training import distribution
        from tf2cases.training.steps import Progress, TracedSteps

        strategy = distribution.make("auto" if arrays else "single")
        with strategy.scope():
            case = measured.make(**flags)
            progress = Progress(case.metric_names)
        self.batch_size = case.config.batch_size
        self.parameters = sum(v.shape.num_elements() for v in case.trainable_variables)
        if arrays:
            seed = nn.random.fold(case.config.seed, "order")
            batches: Any = pipeline.Batches(arrays, self.batch_size, seed)
        else:
            batches = _SameBatch(measured.arrays(self.batch_size))
        self._many = TracedSteps(case, batches, progress, strategy).many
        self.first_seconds = self._timed(2)[2]
        self._rate: float | None = None

    def measure(self, seconds: float) -> rounds.Numbers:
        """Runs steps for about `seconds`, in one call, and measures them with `rounds.timed`."""
        if self._rate is None:
            self._rate = self._timed(10)[0]
        numbers = self._timed(max(1, int(seconds * self._rate / self.batch_size)))
        self._rate = numbers[0]
        return numbers

    def _timed(self, steps: int) -> rounds.Numbers:
        return rounds.timed(functools.partial(self.run, steps))

    def run(self, steps: int) -> int:
        """Runs steps in one call, waits for them and returns the number of examples."""
        if not bool(self._many(steps)):  # waits for the device
            raise RunError("the metrics became infinite or NaN, so fewer steps ran than were timed.")
        return steps * self.batch_size


def on_device() -> contextlib.AbstractContextManager:
    """A context in which constants are placed on the GPU, if there is one."""
    import tensorflow as tf

    return tf.device("/GPU:0" if tf.config.list_physical_devices("GPU") else "/CPU:0")


class _SameBatch:
    """Replaces `pipeline.Batches`: returns the same batch at every step, kept on the GPU if there is one."""

    in_memory = True

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        import tensorflow as tf

        with on_device():
            self._tensors = {name: tf.constant(array) for name, array in arrays.items()}

    def batch(self, step: "tf.Tensor") -> "dict[str, tf.Tensor]":
        del step
        return dict(self._tensors)
