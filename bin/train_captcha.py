"""Launcher of `tf2cases.programs.train_captcha`."""

from tf2cases.programs import train_captcha

if __name__ == "__main__":
    train_captcha.main()
