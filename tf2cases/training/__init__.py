"""What every case shares: the contract of a case, the loop, checkpoints, reports, distribution."""

from tf2cases.training.case import Case, evaluate
from tf2cases.training.loop import Result, train

__all__ = ["Case", "Result", "evaluate", "train"]
