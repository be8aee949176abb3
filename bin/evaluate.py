"""Launcher of `tf2cases.programs.evaluate`."""

from tf2cases.programs import evaluate, program

if __name__ == "__main__":
    program.run(evaluate)
