"""Measures pictures a second against a bare loop over the captcha package in one process, in interleaved rounds.

    python -m bin.benchmark_captchas --workers=2 --rounds=7

Each round, each contender makes `--pictures` captchas in turn, so that a machine whose speed drifts treats them alike;
the ratio is taken round by round. The workers are started before; a small set would not show their speed.
"""

import time

from absl import flags

from tf2cases.data.captchas import generated
from tf2cases.data.captchas.workers import Workers
from tf2cases.programs import common


def define(values):
    flags.DEFINE_integer("workers", 2, "Processes that draw.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("rounds", 5, "Rounds.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("pictures", 600, "Captchas a contender and round.", lower_bound=1, flag_values=values)


def main(values):
    print(f"{values.workers} workers; median [min .. max] of pictures/s, and of workers / bare loop")
    for form in ("grey", "png"):
        ours, bare = compare(form, values.workers, values["rounds"].value, values.pictures)
        ratios = [a / b for a, b in zip(ours, bare, strict=True)]
        rates = f"workers {common.spread(ours, '.0f')}  bare loop {common.spread(bare, '.0f')}"
        print(f"  {form:4}  {rates}  ratio {common.spread(ratios, '.2f')}")


def compare(form, workers, rounds, pictures):
    """Measures both in turn.

    Args:
      form: "grey" or "png"; the bare loop draws without making it grey, or makes PNG files as the package does.
      workers, rounds, pictures: ints.

    Returns:
      ours, bare: [pictures a second, one for each round].
    """
    from captcha.image import ImageCaptcha

    package = ImageCaptcha(160, 60)
    bare = package.generate if form == "png" else package.generate_image
    kind = generated.make_kind("digits", 4, 160, 60, generated.FILES_STREAM, 0)
    rates = [], []
    with Workers(workers) as pool:
        for _ in pool.draw(kind, 0, 200, form):  # all have started
            pass
        bare("0000")
        for _ in range(rounds):
            started = time.perf_counter()
            for _ in pool.draw(kind, 0, pictures, form):
                pass
            between = time.perf_counter()
            for index in range(pictures):
                bare(f"{index % 10000:04d}")
            ended = time.perf_counter()
            rates[0].append(pictures / (between - started))
            rates[1].append(pictures / (ended - between))
    return rates
