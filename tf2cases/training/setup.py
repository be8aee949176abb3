"""What training and its dry run do before the first step."""

import math
import os
from typing import Any

import tensorflow as tf

from tf2cases import nn
from tf2cases.configs import RunConfig
from tf2cases.data.source import Source
from tf2cases.errors import UsageError
from tf2cases.training import checkpoints, distribution
from tf2cases.training.case import Case
from tf2cases.training.steps import Progress
from tf2cases.training.workdir import CHECKPOINTS


def build(
    case_class: type[Case], config: RunConfig, source: Source, strategy: tf.distribute.Strategy
) -> tuple[Any, Case, Progress]:
    """Builds a case for some data.

    Returns:
      The config with `steps` computed, the case, and the sums of its training metrics.

    Raises:
      UsageError: the config or the strategy does not fit the data.
    """
    config = config.with_examples(source.examples)
    distribution.check(config, strategy)
    with strategy.scope():
        try:
            case = case_class(config, source.info)
        except nn.ShapeError as error:  # e.g. pictures smaller than a layer's window
            raise UsageError(f"{config.name} cannot be built for this data: {error}") from error
        return config, case, Progress(case.metric_names)


def check_length(config: RunConfig) -> None:
    """Checks that a run that is resumed has not passed its last step yet.

    Args:
      config: with `steps` computed.

    Raises:
      UsageError: it has; exporting it as if it had ended there would be wrong.
    """
    found = [] if config.overwrite else checkpoints.steps(os.path.join(config.folder, CHECKPOINTS))
    if found and config.steps is not None and found[-1] > config.steps:
        asked = f"--steps is {config.steps}" if config.epochs is None else f"--epochs is {config.epochs:g}"
        raise UsageError(
            f"{asked}, but the run in --workdir={config.folder} has completed {found[-1]:,} steps, more than the "
            f"{config.steps:,} that are asked for; it must be as long or longer, or use --overwrite to start over."
        )


def checkpoint_space(case: Case, source: Source) -> str:
    """The disk space that the checkpoints of a run will take, in words."""
    config = case.config
    period = config.checkpoint_every or source.examples / config.batch_size
    whole = int(config.steps / period)  # periodic ones; the last of them may be at the last step
    count = whole + (math.ceil(whole * period) < config.steps)
    kept = min(count, config.checkpoints_kept or count)
    megabytes = sum(v.dtype.size * v.shape.num_elements() for v in case.variables) / 1e6
    return f"{kept:,} checkpoint{'s' if kept > 1 else ''} of {megabytes:,.1f} MB, {kept * megabytes:,.1f} MB in all"
