"""Shared code of the benchmarks: measures contenders in turn, round by round, and prints a table of the results."""

import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

Numbers = tuple[float, ...]  # the result of one measurement: a number for each column of the table


def define_rounds(values: flags.FlagValues, rounds: int, seconds: float | None = None) -> None:
    """Defines --rounds, and --seconds for a benchmark whose contenders run for a given time.

    Args:
      rounds, seconds: the defaults.
    """
    flags.DEFINE_integer("rounds", rounds, "Number of rounds.", lower_bound=1, upper_bound=10_000, flag_values=values)
    if seconds is not None:
        flags.DEFINE_float("seconds", seconds, "Seconds per contender and round.", lower_bound=0.01, flag_values=values)


def interleaved(
    contenders: Mapping[str, Callable[[], Numbers]],
    rounds: int,
    progress: Callable[[int, dict[str, list[Numbers]]], Any] | None = None,
) -> dict[str, list[Numbers]]:
    """Measures every contender once per round, so that drifts in machine speed affect all alike.

    Every second round reverses the order, so that no contender always goes first.

    Args:
      contenders: {name: function that measures once}.
      rounds: number of rounds.
      progress: called after each round with its number, from 1, and the results so far.

    Returns:
      {name: the measurements, one per round}.
    """
    measured: dict[str, list[Numbers]] = {name: [] for name in contenders}
    for i in range(rounds):
        for name in reversed(list(contenders)) if i % 2 else contenders:
            measured[name].append(contenders[name]())
        if progress:
            progress(i + 1, measured)
    return measured


def race(works: Mapping[str, Callable[[], int]], rounds: int, seconds: float = 0) -> dict[str, list[Numbers]]:
    """Times functions in turn, with `interleaved` and `timed`."""
    return interleaved({name: functools.partial(timed, work, seconds) for name, work in works.items()}, rounds)


def timed(work: Callable[[], int], seconds: float = 0) -> Numbers:
    """Times a function that is called repeatedly, at least once, until `seconds` have passed.

    Args:
      work: the function; returns the number of examples it processed.
      seconds: the minimum duration.

    Returns:
      Examples per second; milliseconds of CPU time per example, over all threads of this process; and the elapsed
      seconds. Other programs on the machine lower the first but hardly change the second.
    """
    started, used, done = time.perf_counter(), time.process_time(), 0
    while True:
        done += work()
        taken = time.perf_counter() - started
        if taken >= seconds:
            return done / taken, 1000 * (time.process_time() - used) / done, taken


def title(precision: str = "float32") -> str:
    """The line above the tables of benchmarks that use TensorFlow: device, version and precision."""
    import tensorflow as tf

    from tf2cases.training import distribution

    return f"{distribution.device_name()}; TensorFlow {tf.__version__}; {precision}; median [min .. max]"


def show(
    measured: Mapping[str, Sequence[Numbers]],
    columns: Sequence[tuple[str, str]],
    compared: tuple[str, str] | None = None,
) -> None:
    """Prints median [min .. max] of each contender, and of the ratio of two of them, computed per round.

    Args:
      measured: from `interleaved`.
      columns: (label, number format) of each measured number; further numbers are not shown.
      compared: the contenders in the numerator and the denominator of the ratio.
    """
    width = max(map(len, measured))
    for name, rows in measured.items():
        cells = [f"{spread([row[i] for row in rows], form)} {what}" for i, (what, form) in enumerate(columns)]
        print(f"  {name:{width}}  " + "  ".join(cells))
    if compared:
        pairs = list(zip(*(measured[name] for name in compared), strict=True))
        cells = [f"{what} {spread([a[i] / b[i] for a, b in pairs], '.2f')}" for i, (what, _) in enumerate(columns)]
        print(f"  {' / '.join(compared)}: " + ", ".join(cells))


def spread(values: Sequence[float], form: str) -> str:
    """'median [min .. max]' of numbers, each written with a format specification such as ',.0f'."""
    return f"{statistics.median(values):{form}} [{min(values):{form}} .. {max(values):{form}}]"
