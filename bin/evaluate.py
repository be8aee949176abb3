"""Launcher of `tf2cases.programs.evaluate`."""

from tf2cases.programs import common, evaluate

if __name__ == "__main__":
    common.run(evaluate.__doc__, evaluate.define, evaluate.main)
