"""Counters and histograms in Prometheus' text format, with the names of tensorflow_model_server."""

import bisect
import itertools
import threading
from collections.abc import Sequence

# A client chooses the labels (the model's name), so their number is bounded.
_MOST_SERIES = 1000


class _Series:
    """One histogram: the count of each bucket, and the sum of all values."""

    def __init__(self, buckets: int):
        self.counts, self.sum = [0] * buckets, 0.0


class Counter:
    """A counter for each combination of label values."""

    kind = "counter"

    def __init__(self, name: str, labels: Sequence[str]):
        self.name, self.labels, self._lock = name, labels, threading.Lock()
        self._values: dict[tuple[str, ...], int] = {}

    def add(self, *values: str, by: int = 1) -> None:
        """Increases the counter of these label values."""
        with self._lock:
            if values in self._values or len(self._values) < _MOST_SERIES:
                self._values[values] = self._values.get(values, 0) + by

    def lines(self) -> list[str]:
        with self._lock:
            items = list(self._values.items())
        return [f"{self.name}{{{_labels(self.labels, values)}}} {count}" for values, count in items]


class Histogram:
    """A histogram with exponential buckets for each combination of label values."""

    kind = "histogram"

    def __init__(self, name: str, labels: Sequence[str], first: float, growth: float, buckets: int):
        self.name, self.labels, self._lock = name, labels, threading.Lock()
        self._bounds = [first * growth**i for i in range(buckets)]
        self._series: dict[tuple[str, ...], _Series] = {}

    def add(self, value: float, *values: str) -> None:
        """Adds a value to the histogram of these label values."""
        with self._lock:
            series = self._series.get(values)
            if series is None:
                if len(self._series) >= _MOST_SERIES:
                    return
                series = self._series[values] = _Series(len(self._bounds) + 1)
            # A bucket holds what is below its bound; Prometheus' "le" differs only for values on it.
            series.counts[bisect.bisect_right(self._bounds, value)] += 1
            series.sum += value

    def lines(self) -> list[str]:
        with self._lock:
            items = [(values, list(series.counts), series.sum) for values, series in self._series.items()]
        lines, limits = [], [f"{bound:.6g}" for bound in self._bounds] + ["+Inf"]
        for values, counts, total in items:
            labels = _labels(self.labels, values)
            prefix = f"{labels}," if labels else ""
            sums = list(itertools.accumulate(counts))
            lines += [
                f'{self.name}_bucket{{{prefix}le="{limit}"}} {count}' for limit, count in zip(limits, sums, strict=True)
            ]
            lines += [f"{self.name}_sum{{{labels}}} {total:.6g}", f"{self.name}_count{{{labels}}} {sums[-1]}"]
        return lines


class Metrics:
    """The metrics of a server; they may be used from any thread."""

    def __init__(self) -> None:
        serving, times = ":tensorflow:serving:", (10, 1.8, 33)
        self.requests = Counter(f"{serving}request_count", ["model_name", "status"])
        self.request_latency = Histogram(
            f"{serving}request_latency", ["model_name", "API", "entrypoint", "status"], *times
        )
        self.runtime_latency = Histogram(f"{serving}runtime_latency", ["model_name", "API", "runtime"], *times)
        self.example_counts = Histogram(f"{serving}request_example_counts", ["model"], 1, 2, 15)
        self.examples = Counter(f"{serving}request_example_count_total", ["model"])
        self.warmup_latency = Histogram(f"{serving}model_warmup_latency", ["model_path", "status"], *times)
        self.load_attempts = Counter(":tensorflow:cc:saved_model:load_attempt_count", ["model_path", "status"])
        self.load_latency = Histogram(":tensorflow:cc:saved_model:load_latency_by_stage", ["model_path"], *times)
        session = f"{serving}batching_session:"
        self.batch_input = Histogram(f"{session}input_batch_size", [], 1, 2, 14)
        self.batch_processed = Histogram(f"{session}processed_batch_size", [], 1, 2, 14)
        self.batch_padding = Histogram(f"{session}padding_size", ["execution_batch_size"], 1, 2, 14)

    def request(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Records a finished request.

        Args:
          model: the model's name.
          api: "Predict", "Classify", "Regress", "MultiInference" or "GetModelMetadata".
          entrypoint: "GRPC" or "REST".
          status: the name of its canonical code, such as "OK".
          seconds: its duration.
        """
        self.requests.add(model, status)
        self.request_latency.add(seconds * 1e6, model, api, entrypoint, status)

    def render(self) -> str:
        """Returns all metrics in Prometheus' text format."""
        lines = []
        for metric in vars(self).values():
            found = metric.lines()
            lines += [f"# TYPE {metric.name} {metric.kind}", *found] if found else []
        return "".join(f"{line}\n" for line in lines)


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    escaped = (value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for value in values)
    return ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True))
