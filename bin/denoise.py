"""Launcher of `tf2cases.programs.denoise`."""

from tf2cases.programs import denoise, program

if __name__ == "__main__":
    program.run(denoise)
