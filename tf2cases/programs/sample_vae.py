"""Draws pictures with an exported variational autoencoder.

    python -m bin.sample_vae --model=exports/vae --grid=20 --out=grid.png
    python -m bin.sample_vae --model=exports/vae --count=64 --seed=1 --out=samples.png

With --grid, the first latent variable runs from -4 to 4 from left to right, the second from bottom to top; any others
are 0. With --count, latents are drawn from N(0, 1), the prior.
"""

import numpy as np
from absl import flags

from tf2cases import viz
from tf2cases.errors import UsageError
from tf2cases.programs import exports
from tf2cases.programs.program import required


def define(values: flags.FlagValues) -> None:
    exports.define_model(values)
    flags.DEFINE_string("out", None, "PNG file to write.", flag_values=values)
    flags.DEFINE_integer(
        "grid",
        None,
        "Rows and columns of a grid; default: 20 for two latent variables, unless --count is given.",
        lower_bound=1,
        upper_bound=200,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "count",
        None,
        "Number of random pictures instead; default: 100 for other than two latent variables, unless --grid is given.",
        lower_bound=1,
        upper_bound=10_000,
        flag_values=values,
    )
    flags.DEFINE_integer("seed", 0, "Seed of the random pictures.", lower_bound=0, flag_values=values)


def main(values: flags.FlagValues) -> None:
    path, out = required(values, "model"), required(values, "out")
    side, count = values.grid, values.count
    if side and count:
        raise UsageError(f"--grid={side} and --count={count} were both given, but only one of them can be.")
    model = exports.load(path, "a variational autoencoder", {"decode": ["z"]})
    from tf2cases.cases import vae

    latent_dim = model.signatures["decode"]["z"].shape[1]
    if not side and not count:
        side, count = (20, None) if latent_dim == 2 else (None, 100)
    if side:
        z = vae.grid(np.linspace(-4, 4, side), latent_dim)
    else:
        z = np.random.default_rng(values.seed).standard_normal([count, latent_dim]).astype(np.float32)
    images = model.call("decode", z=z)["images"]
    viz.write_png(out, viz.montage(images, side, border=0 if side else 1))
    print(f"{out}: {len(z):,} pictures.")
