"""Launcher of `tf2cases.programs.train_mnist`."""

from tf2cases.programs import program, train_mnist

if __name__ == "__main__":
    program.run(train_mnist)
