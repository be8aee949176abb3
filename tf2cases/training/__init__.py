"""Code shared by all cases: the base class of cases, the training loop, checkpoints, reports and distribution."""

from tf2cases.training.case import Case, evaluate
from tf2cases.training.loop import Result, train
from tf2cases.training.plan import plan

__all__ = ["Case", "Result", "evaluate", "plan", "train"]
