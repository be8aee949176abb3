"""Launcher of `tf2cases.programs.train_linear_regression`."""

from tf2cases.programs import train_linear_regression

if __name__ == "__main__":
    train_linear_regression.main()
