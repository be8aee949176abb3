"""Launcher of `tf2cases.programs.train_captcha`."""

from tf2cases.programs import program, train_captcha

if __name__ == "__main__":
    program.run(train_captcha)
