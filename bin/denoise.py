"""Launcher of `tf2cases.programs.denoise`."""

from tf2cases.programs import common, denoise

if __name__ == "__main__":
    common.run(denoise.__doc__, denoise.define, denoise.main)
