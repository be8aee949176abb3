"""Measures how fast a model answers."""

import dataclasses
import threading
import time
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long repeated requests took.

    Attributes:
      requests: their number.
      seconds: from the start of the first to the end of the last.
      latencies: seconds of each, float64 [requests].
    """

    requests: int
    seconds: float
    latencies: np.ndarray

    def line(self, rows: int, concurrency: int) -> str:
        """One line for people: throughput, median, 95th and 99th percentile."""
        rate = self.requests / self.seconds
        median, high, highest = np.percentile(self.latencies, [50, 95, 99]) * 1000
        return (
            f"{self.requests:,} requests of {rows:,} row{'s'[: rows != 1]}, {concurrency} at a time: "
            f"{rate:,.1f} requests/s, {rate * rows:,.1f} rows/s; "
            f"median {median:.2f} ms, p95 {high:.2f} ms, p99 {highest:.2f} ms"
        )


def measure(work: Callable[[], object], repeat: int, concurrency: int = 1) -> Timing:
    """Calls `work` repeatedly, in several threads.

    Args:
      work: sends a request and waits for the answer.
      repeat: how often in all, at least 1.
      concurrency: number of threads, each of which calls it again as soon as it has its answer.

    Raises:
      The first error that `work` raises.
    """
    latencies, lock = np.zeros(repeat), threading.Lock()
    errors: list[Exception] = []
    numbers = iter(range(repeat))

    def run() -> None:
        while not errors:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            start = time.perf_counter()
            try:
                work()
            except Exception as error:
                errors.append(error)
                return
            latencies[number] = time.perf_counter() - start

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(concurrency, repeat))]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return Timing(repeat, time.perf_counter() - start, latencies)
