"""Launcher of `tf2cases.programs.evaluate_dcgan`."""

from tf2cases.programs import common, evaluate_dcgan

if __name__ == "__main__":
    common.run(evaluate_dcgan.__doc__, evaluate_dcgan.define, evaluate_dcgan.main)
