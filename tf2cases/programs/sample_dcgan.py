"""Draws pictures with an exported DCGAN.

    python -m bin.sample_dcgan --model=exports/dcgan_celeba --count=100 --seed=7 --out=faces.png
    python -m bin.sample_dcgan --model=exports/dcgan_celeba --interpolate=7,8,40 --out=faces.gif

The same seed gives the same latents, those of the montages made in training with that --seed. --interpolate moves from
the pictures of the first seed to those of the second, in a straight line between their latents, in that many frames.
"""

import os

import numpy as np
from absl import flags

from tf2cases import viz
from tf2cases.errors import UsageError
from tf2cases.programs import exports
from tf2cases.programs.program import required

_FRAMES_PER_SECOND = 10
_MOST_FRAMES = 1000


def define(values: flags.FlagValues) -> None:
    exports.define_model(values)
    flags.DEFINE_string("out", None, "File to write: .png, or .gif with --interpolate.", flag_values=values)
    flags.DEFINE_integer(
        "count",
        None,
        "Number of pictures; default: 100, or 16 with --interpolate.",
        lower_bound=1,
        upper_bound=10_000,
        flag_values=values,
    )
    flags.DEFINE_integer("seed", 0, "Seed of the latents.", lower_bound=0, flag_values=values)
    flags.DEFINE_string("interpolate", None, "SEED1,SEED2,FRAMES of an animation.", flag_values=values)


def main(values: flags.FlagValues) -> None:
    path, out = required(values, "model"), required(values, "out")
    way = _interpolation(values.interpolate)
    kind = ".gif" if way else ".png"
    if os.path.splitext(out)[1].lower() != kind:
        raise UsageError(f"--out is {out!r}, but must end in {kind}{' with --interpolate' if way else ''}.")
    model = exports.load(path, "a DCGAN", {"serving_default": ["z"], "discriminate": ["images"]})
    from tf2cases.cases.dcgan import draw_latents

    latent_dim = model.signatures["serving_default"]["z"].shape[1]

    def montage(z: np.ndarray) -> np.ndarray:
        parts = [model.call("serving_default", z=z[i : i + 500])["images"] for i in range(0, len(z), 500)]
        return viz.montage(np.concatenate(parts))

    if way:
        count = values.count or 16
        start, end = (draw_latents(count, latent_dim, seed).numpy() for seed in way[:2])
        shares = np.linspace(0, 1, way[2], dtype=np.float32)
        viz.write_gif(out, [montage((1 - share) * start + share * end) for share in shares], _FRAMES_PER_SECOND)
        print(f"{out}: {way[2]:,} frames of {count:,} pictures.")
    else:
        count = values.count or 100
        viz.write_png(out, montage(draw_latents(count, latent_dim, values.seed).numpy()))
        print(f"{out}: {count:,} pictures.")


def _interpolation(text: str | None) -> tuple[int, int, int] | None:
    """(seed, seed, frames) of --interpolate, or None."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3 or not all(part.isdecimal() for part in parts) or not 2 <= int(parts[2]) <= _MOST_FRAMES:
        raise UsageError(
            f"--interpolate is {text!r}, but must be SEED1,SEED2,FRAMES with 2 to {_MOST_FRAMES:,} frames, "
            "such as 7,8,40."
        )
    first, second, frames = map(int, parts)
    return first, second, frames
