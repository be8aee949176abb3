"""What every case shares: config, loop, checkpoints, reports, distribution."""

from tf2cases.configs.run import OptimizerConfig, RunConfig, field
from tf2cases.training.case import Case
from tf2cases.training.loop import Result, train

__all__ = ["Case", "OptimizerConfig", "Result", "RunConfig", "field", "train"]
