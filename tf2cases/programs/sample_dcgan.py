"""Draws pictures with an exported DCGAN.

    python -m bin.sample_dcgan --model=exports/dcgan_celeba --count=100 --seed=7 --out=faces.png
    python -m bin.sample_dcgan --model=exports/dcgan_celeba --interpolate=7,8,40 --out=faces.gif

A seed draws the same latents as the montages of a training run with that --seed. --interpolate=SEED1,SEED2,FRAMES moves
from the pictures of the first seed to those of the second, along straight lines between their latents.
"""

import numpy as np
from absl import flags

from tf2cases import files, viz
from tf2cases.errors import UsageError
from tf2cases.programs import exports

REQUIRED = ("model", "out")

_FRAMES_PER_SECOND = 10
_MOST_FRAMES = 1000


def define(values: flags.FlagValues) -> None:
    count = "Number of pictures; default: 100, or 16 with --interpolate."
    exports.define_drawing(
        values, "File to write; its ending decides the format: .png, .jpg, .webp, ...; .gif with --interpolate.", count
    )
    flags.DEFINE_string("interpolate", None, "SEED1,SEED2,FRAMES: draw an animation.", flag_values=values)


def main(values: flags.FlagValues) -> None:
    out, way = values.out, _interpolation(values.interpolate)
    is_gif = out.lower().endswith(".gif")
    if is_gif != bool(way):
        wanted = "end in .gif with --interpolate" if way else "end in .png or the like; .gif needs --interpolate"
        raise UsageError(f"--out is {out!r}, but must {wanted}.")
    if way and values["seed"].present:
        raise UsageError(
            f"--seed is {values.seed}, but has no effect with --interpolate, which names its seeds: leave it out."
        )
    model = exports.load(values.model, "a DCGAN", {"serving_default": ["z"], "discriminate": ["images"]})
    from tf2cases.cases.dcgan import draw_latents

    (latent_dim,) = model.signatures["serving_default"].inputs["z"].row

    def montage(z: np.ndarray) -> np.ndarray:
        parts = model.call_in_batches("serving_default", 500, z=z)
        return viz.montage(np.concatenate([part["images"] for part in parts]))

    count = values.count or (16 if way else 100)
    if way:
        *seeds, frames = way
        start, end = (draw_latents(count, latent_dim, seed).numpy() for seed in seeds)
        shares = np.linspace(0, 1, frames, dtype=np.float32)
        with files.writing(out):
            viz.write_gif(out, [montage((1 - share) * start + share * end) for share in shares], _FRAMES_PER_SECOND)
        print(f"{out}: {frames:,} frames of {count:,} picture{'s'[: count != 1]}.")
    else:
        with files.writing(out):
            viz.write_picture(out, montage(draw_latents(count, latent_dim, values.seed).numpy()))
        print(f"{out}: {count:,} pictures.")


def _interpolation(text: str | None) -> list[int] | None:
    """[seed, seed, frames] of --interpolate, or None."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    are_numbers = len(parts) == 3 and all(part.isdecimal() and len(part) < 19 for part in parts)
    if not are_numbers or not 2 <= int(parts[2]) <= _MOST_FRAMES:
        raise UsageError(
            f"--interpolate is {text!r}, but must be SEED1,SEED2,FRAMES with 2 to {_MOST_FRAMES:,} frames, "
            "such as 7,8,40."
        )
    return [int(part) for part in parts]
