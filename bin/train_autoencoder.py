"""Launcher of `tf2cases.programs.train_autoencoder`."""

from tf2cases.programs import program, train_autoencoder

if __name__ == "__main__":
    program.run(train_autoencoder)
