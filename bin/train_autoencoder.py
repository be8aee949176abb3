"""Launcher of `tf2cases.programs.train_autoencoder`."""

from tf2cases.programs import train_autoencoder

if __name__ == "__main__":
    train_autoencoder.main()
