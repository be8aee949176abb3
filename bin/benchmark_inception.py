"""Launcher of `tf2cases.benchmarks.inference`."""

from tf2cases.benchmarks import inference
from tf2cases.programs import common

if __name__ == "__main__":
    common.run(inference.__doc__, inference.define, inference.main)
