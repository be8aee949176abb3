"""Launcher of `tf2cases.programs.train_dcgan`."""

from tf2cases.programs import train_dcgan

if __name__ == "__main__":
    train_dcgan.main()
