"""Launcher of `tf2cases.programs.sample_vae`."""

from tf2cases.programs import common, sample_vae

if __name__ == "__main__":
    common.run(sample_vae.__doc__, sample_vae.define, sample_vae.main)
