"""Draws pictures with an exported variational autoencoder.

    python -m bin.sample_vae --model=exports/vae --grid=20 --out=grid.png
    python -m bin.sample_vae --model=exports/vae --count=64 --seed=1 --out=samples.png

With --grid, the first latent variable runs from -4 to 4 from left to right, the second from bottom to top; any others
are 0. With --count, latents are drawn from N(0, 1), the prior.
"""

import numpy as np
from absl import flags

from tf2cases import files, viz
from tf2cases.errors import UsageError
from tf2cases.programs import exports

REQUIRED = ("model", "out")


def define(values: flags.FlagValues) -> None:
    count = "Number of random pictures; default without --grid: 100, unless there are two latent variables."
    exports.define_drawing(values, "Picture to write; its ending decides the format: .png, .jpg, .webp, ...", count)
    grid = "Rows and columns of a grid; default without --count: 20 if there are two latent variables."
    flags.DEFINE_integer("grid", None, grid, lower_bound=1, upper_bound=200, flag_values=values)


def main(values: flags.FlagValues) -> None:
    out, side, count = values.out, values.grid, values.count
    if side and count:
        raise UsageError(f"--grid={side} and --count={count} were both given, but only one of them can be.")
    if side and values["seed"].present:
        raise UsageError(
            f"--seed is {values.seed}, but has no effect with --grid, which draws no latents: leave it out."
        )
    model = exports.load(values.model, "a variational autoencoder", {"decode": ["z"]})
    from tf2cases.cases import vae

    (latent_dim,) = model.signatures["decode"].inputs["z"].row
    if not side and not count:
        side, count = (20, None) if latent_dim == 2 else (None, 100)
        if side and values["seed"].present:
            raise UsageError(
                f"--seed is {values.seed}, but has no effect on the grid that is drawn without --count: give --count."
            )
    if side:
        z = vae.grid(np.linspace(-4, 4, side), latent_dim)
    else:
        z = np.random.default_rng(values.seed).standard_normal([count, latent_dim]).astype(np.float32)
    images = model.call("decode", z=z)["images"]
    with files.writing(out):
        viz.write_picture(out, viz.montage(images, side, border=0 if side else 1))
    print(f"{out}: {len(z):,} picture{'s'[: len(z) != 1]}.")
