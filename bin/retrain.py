"""Launcher of `tf2cases.programs.retrain`."""

from tf2cases.programs import program, retrain

if __name__ == "__main__":
    program.run(retrain)
