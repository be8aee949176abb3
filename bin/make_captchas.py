"""Launcher of `tf2cases.programs.make_captchas`."""

from tf2cases.programs import make_captchas, program

if __name__ == "__main__":
    program.run(make_captchas)
