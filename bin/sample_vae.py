"""Launcher of `tf2cases.programs.sample_vae`."""

from tf2cases.programs import program, sample_vae

if __name__ == "__main__":
    program.run(sample_vae)
