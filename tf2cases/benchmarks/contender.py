"""A contender of `benchmark training` in a process of its own, so that none uses the memory or the threads of another.

    python -m tf2cases.benchmarks.contender '{"peer": "torch", "mode": "eager", "case": "vae", ...}'

Writes one JSON line when it is ready. Then, for each line of standard input, a number of seconds, it trains that long
and writes a JSON line with the result. It ends with its input.
"""

import functools
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from tf2cases.benchmarks import rounds, steps
from tf2cases.benchmarks.keras_rivals import RIVALS

EXAMPLES, OF_LARGE = 60_000, 2_000  # in the training set
STEPS_PER_CALL = 16  # after each call, a contender waits for the device


def main(job: dict[str, Any]) -> None:
    # Libraries may print; only results go to the standard output of the process.
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    started = time.perf_counter()
    build, versions = {"tf2cases": _ours, "keras": _keras, "torch": _torch, "jax": _jax}[job["peer"]](job)
    imported = time.perf_counter()
    rival = RIVALS[job["case"]]
    arrays = case(job["case"]).arrays(OF_LARGE if rival.large else EXAMPLES)
    data = (arrays,) if job["peer"] == "tf2cases" else rival.data(arrays)
    ready = time.perf_counter()
    measure, parameters = build(*data)
    start = {
        "import_seconds": imported - started,
        "first_step_seconds": time.perf_counter() - ready,
        "versions": versions,
        "parameters": parameters,
        "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
    measure(job["warm_up"])
    print(json.dumps(start), file=results)
    for line in sys.stdin:
        rate, milliseconds, taken = measure(float(line))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"rate": rate, "cpu_ms": milliseconds, "seconds": taken, "peak_mb": peak}), file=results)


def case(name: str) -> steps.MeasuredCase:
    """The case with the network of a rival."""
    return steps.CASES[RIVALS[name].case or name]


# Each of these functions imports its framework and returns (build, versions). `build` takes the training set, makes the
# contender, runs its first call, and returns (a function of seconds like `rounds.timed`, the number of parameters).


def _ours(job: dict[str, Any]) -> tuple[Callable, dict[str, str]]:
    from tf2cases import quiet

    quiet.import_tensorflow()
    import tensorflow as tf

    import tf2cases

    def build(arrays: dict) -> tuple[Callable, int]:
        options = dict(precision=job["precision"], jit="auto", batch_size=job["batch_size"])
        ours = steps.Steps(case(job["case"]), arrays, **options)
        return functools.partial(rounds.timed, functools.partial(ours.run, _per_call(job))), ours.parameters

    return build, {"tf2cases": tf2cases.__version__, "tensorflow": tf.__version__}


def _keras(job: dict[str, Any]) -> tuple[Callable, dict[str, str]]:
    from tf2cases import quiet

    quiet.import_tensorflow()
    import keras
    import tensorflow as tf

    from tf2cases.benchmarks import keras_rivals

    def build(x: Any, y: Any) -> tuple[Callable, int]:
        options = job["batch_size"], job["precision"], job["mode"] == "xla", _per_call(job)
        fit = keras_rivals.Fit(RIVALS[job["case"]], x, y, *options)
        fit.first()
        return fit.measure, fit.parameters

    return build, {"keras": keras.__version__, "tensorflow": tf.__version__}


def _torch(job: dict[str, Any]) -> tuple[Callable, dict[str, str]]:
    from tf2cases.benchmarks import torch_rivals

    def build(x: Any, y: Any) -> tuple[Callable, int]:
        options = job["batch_size"], job["precision"], job["mode"] == "compile"
        return _started(job, torch_rivals.Fit(job["case"], x, y, *options))

    return build, torch_rivals.VERSIONS


def _jax(job: dict[str, Any]) -> tuple[Callable, dict[str, str]]:
    from tf2cases.benchmarks import jax_rivals

    def build(x: Any, y: Any) -> tuple[Callable, int]:
        return _started(job, jax_rivals.Fit(job["case"], x, y, job["batch_size"], job["precision"]))

    return build, jax_rivals.VERSIONS


def _started(job: dict[str, Any], fit: Any) -> tuple[Callable, int]:
    fit.run(1)
    return functools.partial(rounds.timed, functools.partial(fit.run, _per_call(job))), fit.parameters


def _per_call(job: dict[str, Any]) -> int:
    return 1 if RIVALS[job["case"]].large else STEPS_PER_CALL


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
