"""Drawing captchas in worker processes against a loop over the captcha package in one process, in pictures/s.

    python -m bin.benchmark captchas --workers=2 --rounds=7

In each round both draw --pictures captchas in turn, as grey arrays and as PNG files; the ratio is computed per round.
The workers are already running, as for most of a large set.
"""

import functools
from typing import Any

from absl import flags

from tf2cases.benchmarks import rounds
from tf2cases.data.captchas import generated
from tf2cases.data.captchas.workers import Workers


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("workers", 2, "Worker processes.", lower_bound=1, upper_bound=256, flag_values=values)
    flags.DEFINE_integer(
        "pictures", 600, "Captchas per contender and round.", lower_bound=1, upper_bound=10**7, flag_values=values
    )
    rounds.define_rounds(values, 5)


def main(values: flags.FlagValues) -> None:
    from captcha.image import ImageCaptcha

    package = ImageCaptcha(160, 60)
    kind = generated.make_kind(generated.FILES_STREAM, 0)
    print(f"{values.workers} workers; median [min .. max]")
    # The bare loop draws without converting to grey, or creates PNG files as the package does.
    for form, bare in {"grey": package.generate_image, "png": package.generate}.items():
        with Workers(values.workers) as pool:
            _drawn(pool, kind, form, 200)  # after this, all workers have started
            _looped(bare, 1)
            drawn = functools.partial(_drawn, pool, kind, form, values.pictures)
            looped = functools.partial(_looped, bare, values.pictures)
            measured = rounds.race({"workers": drawn, "bare loop": looped}, values.rounds)
        print(form)
        rounds.show(measured, [("pictures/s", ",.0f")], compared=("workers", "bare loop"))


def _drawn(pool: Workers, kind: Any, form: str, number: int) -> int:
    return len(list(pool.draw(kind, 0, number, form)))


def _looped(bare: Any, number: int) -> int:
    for index in range(number):
        bare(f"{index % 10000:04d}")
    return number
