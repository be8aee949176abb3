"""Launcher of `tf2cases.benchmarks.pictures`."""

from tf2cases.benchmarks import pictures
from tf2cases.programs import common

if __name__ == "__main__":
    common.run(pictures.__doc__, pictures.define, pictures.main)
