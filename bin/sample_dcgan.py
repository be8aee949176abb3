"""Launcher of `tf2cases.programs.sample_dcgan`."""

from tf2cases.programs import common, sample_dcgan

if __name__ == "__main__":
    common.run(sample_dcgan.__doc__, sample_dcgan.define, sample_dcgan.main)
