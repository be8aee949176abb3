"""Launcher of `tf2cases.programs.make_captchas`."""

from tf2cases.programs import common, make_captchas

if __name__ == "__main__":
    common.run(make_captchas.__doc__, make_captchas.define, make_captchas.main)
