"""Launcher of `tf2cases.benchmarks.features`."""

from tf2cases.benchmarks import features
from tf2cases.programs import common

if __name__ == "__main__":
    common.run(features.__doc__, features.define, features.main)
