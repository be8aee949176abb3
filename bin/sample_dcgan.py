"""Launcher of `tf2cases.programs.sample_dcgan`."""

from tf2cases.programs import program, sample_dcgan

if __name__ == "__main__":
    program.run(sample_dcgan)
