"""Launcher of `tf2cases.benchmarks.captchas`."""

from tf2cases.benchmarks import captchas
from tf2cases.programs import common

if __name__ == "__main__":
    common.run(captchas.__doc__, captchas.define, captchas.main)
