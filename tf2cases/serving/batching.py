"""The settings with which a model server joins requests into batches, measured with the model itself.

TF Serving reads the file `batching_params.pbtxt` in a version's directory if it runs with `--enable_batching` and
`--enable_per_model_batching_parameters`. The rules that lead from the measurement to the file:

* A batch has at most as many rows (`max_execution_batch_size`) as the smallest measured one whose rows per second are
  within 5 % of the best: larger batches only make requests wait longer and need more memory.
* A request may have up to 1,000 rows (`max_batch_size`, which limits requests) and is split into such batches. There
  are no `allowed_batch_sizes`: servers require that the last of them be `max_batch_size`, some also that it be
  `max_execution_batch_size`, so a larger request would be refused, perhaps one of the warm-up records.
* A batch that is not full waits for more requests as long as one row takes to compute, at most 10 ms
  (`batch_timeout_micros`): a request alone then takes at most about twice as long as without batching.
* One batch is computed for each processor at a time (`num_batch_threads`).
* At least two of the largest requests may wait (`max_enqueued_batches`).

The numbers are those of the CPU of the computer that exports. The file is not part of the model: it has no checksum in
the model card, and may be edited.
"""

import dataclasses
import os
import resource
import time
from collections.abc import Callable, Mapping, Sequence

PATH = "batching_params.pbtxt"
MOST_ROWS = 1000  # of a request

_SIZES = (1, 2, 4, 8, 16, 32, 64)
_SECONDS = 2.0  # for the whole measurement
_CALLS = 10  # at most, for each size
_BYTES = 2**30  # by which the process may grow
_NEARLY_BEST = 0.95
_LONGEST_WAIT = 10_000  # microseconds


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings for one model, or common ones for all.

    Attributes:
      batch_size: rows per batch.
      timeout_micros: how long a batch that is not full waits for more requests.
      note: where they come from, one line.
    """

    batch_size: int
    timeout_micros: int
    note: str

    def text(self) -> str:
        """A BatchingParameters message in text format."""
        waiting = max(100, 2 * -(-MOST_ROWS // self.batch_size))
        return "\n".join(
            [
                f"# {self.note}",
                f"max_batch_size {{ value: {max(MOST_ROWS, self.batch_size)} }}",
                "enable_large_batch_splitting { value: true }",
                f"max_execution_batch_size {{ value: {self.batch_size} }}",
                f"batch_timeout_micros {{ value: {self.timeout_micros} }}",
                f"max_enqueued_batches {{ value: {waiting} }}",
                f"num_batch_threads {{ value: {os.cpu_count() or 1} }}",
                "",
            ]
        )


def measure(run: Callable[[int], object], clock: Callable[[], float] = time.perf_counter) -> dict[int, float]:
    """Times batches of 1, 2, 4, ... 64 rows.

    Stops before a size that would take the rest of the two seconds, and before the process grows by more than a
    gigabyte; always measures one row, whose very first run does not count.

    Args:
      run: computes a batch of so many rows.
      clock: seconds.

    Returns:
      {rows: seconds of the fastest of up to ten runs}.
    """
    run(_SIZES[0])
    start, before, found = clock(), _peak_bytes(), dict[int, float]()
    for i, size in enumerate(_SIZES):
        left = start + _SECONDS - clock()
        # A size is run at least twice, and takes about twice as long and as much memory as the last one.
        if found and (4 * found[_SIZES[i - 1]] > left or 2 * (_peak_bytes() - before) > _BYTES):
            break
        run(size)  # the first run of a shape is slower
        end = clock() + left / (len(_SIZES) - i)
        for _ in range(_CALLS):
            begun = clock()
            run(size)
            now = clock()
            found[size] = min(found.get(size, now - begun), now - begun)
            if now > end:
                break
    return found


def choose(seconds: Mapping[int, float]) -> Settings:
    """The settings for a model, see above.

    Args:
      seconds: from `measure`.
    """
    rates = {size: size / max(taken, 1e-9) for size, taken in seconds.items()}
    size = min(size for size, rate in rates.items() if rate >= _NEARLY_BEST * max(rates.values()))
    wait = min(round(seconds[min(seconds)] * 1e6), _LONGEST_WAIT) if size > 1 else 0
    measured = ", ".join(f"{rate:,.0f} with {size}" for size, rate in rates.items())
    return Settings(size, wait, f"Rows per second, by rows per batch: {measured}.")


def common(settings: Sequence[Settings]) -> Settings:
    """Settings for several models: the smallest of each, so that no model gets a larger batch than is good for it."""
    if not settings:
        return Settings(32, 1000, "Not measured.")
    size = min(one.batch_size for one in settings)
    return Settings(size, min(one.timeout_micros for one in settings), "The smallest values of the models here.")


def _peak_bytes() -> int:
    """The largest memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
