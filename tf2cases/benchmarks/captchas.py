"""Captchas drawn by worker processes against a loop over the captcha package in one process, in pictures/s.

    python -m bin.benchmark captchas --workers=2 --rounds=7

Each round, both make --pictures captchas in turn, as grey arrays and as PNG files; the ratio is taken round by round.
The workers are started before, as they are for a large set.
"""

import functools

from absl import flags

from tf2cases.benchmarks import rounds
from tf2cases.data.captchas import generated
from tf2cases.data.captchas.workers import Workers


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("workers", 2, "Worker processes.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("pictures", 600, "Captchas per contender and round.", lower_bound=1, flag_values=values)
    rounds.define_rounds(values, 5)


def main(values: flags.FlagValues) -> None:
    print(f"{values.workers} workers; median [min .. max]")
    for form in ("grey", "png"):
        print(form)
        measured = compare(form, values.workers, values.rounds, values.pictures)
        rounds.show(measured, [("pictures/s", ",.0f")], compared=("workers", "bare loop"))


def compare(form: str, workers: int, count: int, pictures: int) -> dict[str, list[rounds.Numbers]]:
    """Measures both in turn.

    Args:
      form: "grey" or "png"; the bare loop draws without making it grey, or makes PNG files as the package does.
      workers: processes.
      count: rounds.
      pictures: captchas per contender and round.
    """
    from captcha.image import ImageCaptcha

    package = ImageCaptcha(160, 60)
    bare = package.generate if form == "png" else package.generate_image
    kind = generated.make_kind(generated.FILES_STREAM, 0)
    with Workers(workers) as pool:

        def drawn(number: int) -> int:
            for _ in pool.draw(kind, 0, number, form):
                pass
            return number

        def looped(number: int) -> int:
            for index in range(number):
                bare(f"{index % 10000:04d}")
            return number

        drawn(200)  # all have started
        looped(1)
        works = {"workers": functools.partial(drawn, pictures), "bare loop": functools.partial(looped, pictures)}
        return rounds.race(works, count)
