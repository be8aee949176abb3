"""Launcher of `tf2cases.benchmarks.training`."""

from tf2cases.benchmarks import training
from tf2cases.programs import common

if __name__ == "__main__":
    common.run(training.__doc__, training.define, training.main)
