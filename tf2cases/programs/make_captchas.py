"""Generates a folder of captchas: LABEL-NNNNN.png files and a manifest. OUT_contact_sheet.png beside it shows some.

    python -m bin.make_captchas --out=data/captchas --count=5000 --charset=digits

The same seed produces the same bytes.
"""

import os
import time

import imageio.v3 as imageio
from absl import flags

from tf2cases import files, viz
from tf2cases.configs import path_flags
from tf2cases.data.captchas import generated, writer
from tf2cases.data.captchas.folder import label_of
from tf2cases.data.captchas.text import NAMED
from tf2cases.errors import UsageError

REQUIRED = ("out",)

_ON_SHEET = 20


def define(values: flags.FlagValues) -> None:
    charsets = ", ".join(NAMED)
    path_flags.define("out", None, "Folder for the captchas.", path_flags.FOLDER, values)
    flags.DEFINE_integer("count", 5000, "Number of captchas.", upper_bound=10**8, flag_values=values)
    flags.DEFINE_string("charset", "digits", f"{charsets}, or the characters themselves.", flag_values=values)
    flags.DEFINE_integer("length", 4, "Characters per captcha.", upper_bound=40, flag_values=values)
    flags.DEFINE_integer("width", 160, "Width in pixels.", upper_bound=10_000, flag_values=values)
    flags.DEFINE_integer("height", 60, "Height in pixels.", upper_bound=10_000, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of all random choices.", upper_bound=2**63 - 1, flag_values=values)
    flags.DEFINE_integer(
        "workers", 2, "Number of worker processes; does not change the captchas.", upper_bound=256, flag_values=values
    )
    flags.DEFINE_bool(
        "overwrite", False, "Replace existing captchas in --out, and their contact sheet.", flag_values=values
    )


def main(values: flags.FlagValues) -> None:
    for name in ("count", "workers"):
        if (given := getattr(values, name)) < 1:
            raise UsageError(f"--{name} is {given}, but must be at least 1.")
    out, count = values.out, values.count
    size = values.width, values.height
    kind = generated.make_kind(generated.FILES_STREAM, values.seed, values.charset, values.length, *size)
    writer.prepare(out, values.overwrite)
    started = time.perf_counter()
    try:
        paths = writer.write(out, kind, count, values.workers)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"all captchas in {out} are complete files; the manifest marks the set as incomplete"
        ) from error
    seconds = time.perf_counter() - started
    writer.finish(out, kind, count)
    shown = paths[:_ON_SHEET]
    sheet = viz.labelled([imageio.imread(path) for path in shown], [label_of(path) for path in shown])
    with files.writing(writer.contact_sheet(out)):
        viz.write_png(writer.contact_sheet(out), sheet)
    speed = f"{seconds:.1f} s: {count / seconds:,.0f} pictures/s"
    print(f"{count:,} captcha{'s'[: count != 1]} in {out}, drawn and written in {speed}.")
    print(f"{os.path.relpath(writer.contact_sheet(out))} shows {len(shown)} of them.")
