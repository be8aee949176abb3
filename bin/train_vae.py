"""Launcher of `tf2cases.programs.train_vae`."""

from tf2cases.programs import train_vae

if __name__ == "__main__":
    train_vae.main()
