"""Launcher of `tf2cases.programs.train_vae`."""

from tf2cases.programs import program, train_vae

if __name__ == "__main__":
    program.run(train_vae)
