"""Draws pictures with an exported variational autoencoder.

python -m bin.sample_vae --model=exports/vae --grid=20 --out=grid.png
python -m bin.sample_vae --model=exports/vae --count=64 --seed=1 --out=samples.png

With --grid, the first latent goes from -4 to 4 from left to right, the second from bottom to top, and any others are 0.
With --count, the latent is drawn from N(0, 1), in which the digits lie.
"""

import numpy as np
from absl import flags

from tf2cases import viz
from tf2cases.errors import UsageError
from tf2cases.programs import common


def define(values):
    common.define_model(values)
    flags.DEFINE_string("out", None, "The PNG file to write.", flag_values=values)
    flags.DEFINE_integer(
        "grid", None, "Pictures in a row and rows; the default, 20, where the latent has two numbers and --count is "
        "not given.", lower_bound=1, upper_bound=200, flag_values=values
    )  # fmt: skip
    flags.DEFINE_integer(
        "count", None, "Random pictures instead; the default, 100, where the latent has not two numbers and --grid is "
        "not given.", lower_bound=1, upper_bound=10_000, flag_values=values
    )  # fmt: skip
    flags.DEFINE_integer("seed", 0, "Seed of the random pictures.", lower_bound=0, flag_values=values)


def main(values):
    path, out = common.required(values, "model"), common.required(values, "out")
    side, count = values["grid"].value, values["count"].value
    if side and count:
        raise UsageError(f"--grid={side} and --count={count} were both given, but only one of them can be.")
    # Here, because they load TensorFlow: mistakes above are told without waiting for it.
    from tf2cases.cases import vae
    from tf2cases.programs import quiet as _quiet  # noqa: F401
    from tf2cases.serving.model import Model

    model = Model(path)
    if "decode" not in model.signatures or list(model.signatures["decode"]) != ["z"]:
        raise UsageError(f"--model={path} is no variational autoencoder: it has no signature `decode` of z.")
    latent_dim = model.signatures["decode"]["z"].shape[1]
    if not side and not count:
        side, count = (20, None) if latent_dim == 2 else (None, 100)
    if side:
        z = vae.grid(np.linspace(-4, 4, side), latent_dim)
    else:
        z = np.random.default_rng(values["seed"].value).standard_normal([count, latent_dim]).astype(np.float32)
    images = model.call("decode", z=z)["images"]
    viz.write_png(out, viz.montage(images, side, border=0 if side else 1))
    print(f"{out}: {len(z):,} pictures.")
