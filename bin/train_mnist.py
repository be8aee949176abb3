"""Launcher of `tf2cases.programs.train_mnist`."""

from tf2cases.programs import train_mnist

if __name__ == "__main__":
    train_mnist.main()
