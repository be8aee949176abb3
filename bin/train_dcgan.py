"""Launcher of `tf2cases.programs.train_dcgan`."""

from tf2cases.programs import program, train_dcgan

if __name__ == "__main__":
    program.run(train_dcgan)
