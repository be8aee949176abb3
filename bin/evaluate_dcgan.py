"""Launcher of `tf2cases.programs.evaluate_dcgan`."""

from tf2cases.programs import evaluate_dcgan, program

if __name__ == "__main__":
    program.run(evaluate_dcgan)
