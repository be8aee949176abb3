"""Launcher of `tf2cases.programs.train_linear_regression`."""

from tf2cases.programs import program, train_linear_regression

if __name__ == "__main__":
    program.run(train_linear_regression)
