"""Training and inference speed on a GPU, the most important rows first, until the time limit.

    python -m bin.benchmark gpu --minutes=8 --out=rows.jsonl

The rows are, in this order: the machine and the speed of a large matrix product; the training step of every case in
float32 (with TF32) and bfloat16, with XLA off and on; inference; training in float16 and in float32 without TF32. Each
row is printed and appended to --out, one JSON object per line, as soon as it is measured. A row that fails holds the
first line of the error. Training and inference use data that is already on the card. Also runs on a CPU.
"""

import dataclasses
import functools
import gc
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from absl import flags

from tf2cases import files, quiet
from tf2cases.benchmarks import rounds, steps
from tf2cases.configs import path_flags

# The most important first.
CASES = ("dcgan_faces", "dcgan_digits", "mnist_cnn", "mnist_mlp", "captcha", "vae", "autoencoder", "autoencoder_skip")
# Name in the table -> the precision in the config, and whether TF32 is on.
_PRECISIONS = {
    "float32 (TF32)": ("float32", True),
    "bfloat16": ("bfloat16", True),
    "float16": ("float16", True),
    "float32": ("float32", False),
}
_PRODUCTS_PER_CALL = 16


@dataclasses.dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
      case: the name of the case, or of what is measured instead.
      what: the measured operation of it, such as "inference".
      measure: returns {"rate": float, "unit": str, "seconds": float, and any further fields}.
      precision: one of `_PRECISIONS`.
      jit: whether XLA compiles it; None if that does not apply.
      batch_size: examples per batch; None for training with the case's own, which `measure` then returns.
    """

    case: str
    what: str
    measure: Callable[[], dict[str, Any]]
    precision: str = "float32 (TF32)"
    jit: bool | None = None
    batch_size: int | None = None

    def measured(self) -> dict[str, Any]:
        """Measures the row and returns it as a JSON-compatible dict, with the first line of the error if it failed."""
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(_PRECISIONS[self.precision][1])
        record = {name: getattr(self, name) for name in ("case", "what", "precision", "jit", "batch_size")}
        record |= {"rate": None, "unit": None, "seconds": None, "error": None}
        try:
            record |= self.measure()
        except Exception as error:  # rows that a card cannot run must not stop the others
            record["error"] = files.reason(error)
        gc.collect()  # traced functions are in reference cycles that keep the case's variables alive
        return record


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_float("minutes", 8.0, "Start no row after this many minutes.", lower_bound=0, flag_values=values)
    path_flags.define("out", None, "File to append the rows to, one JSON object per line.", path_flags.FILE, values)
    flags.DEFINE_float("seconds", 2.0, "Seconds per row, after warm-up.", lower_bound=0.01, flag_values=values)
    steps.define_cases(values, CASES)
    flags.DEFINE_bool("small", False, "Use tiny sizes, to try the program without a card.", flag_values=values)


def main(values: flags.FlagValues) -> None:
    started = time.monotonic()
    steps.check_cases(values, CASES)
    quiet.import_tensorflow()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # no warnings: each row is meant to retrace
    rows = list(plan(values.cases, values.seconds, values.small))
    for i, row in enumerate(rows):
        if time.monotonic() - started > 60 * values.minutes:
            print(f"Stopped after {values.minutes:g} min; {len(rows) - i} of {len(rows)} rows were not measured.")
            return
        record = row.measured()
        print(_line(record), flush=True)
        if values.out:
            with files.writing(values.out), open(values.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")


def plan(cases: list[str], seconds: float, small: bool) -> Iterator[Row]:
    """All rows, the most important first.

    Args:
      cases: names of the cases.
      seconds: length of one measurement.
      small: whether to use tiny sizes.
    """
    size, batch_sizes, batch_of_training = (128, (1, 2), 4) if small else (8192, (1, 64), None)

    def training(*precisions: str) -> Iterator[Row]:
        for name, precision, jit in itertools.product(cases, precisions, (False, True)):
            measure = functools.partial(_train, name, _PRECISIONS[precision][0], jit, batch_of_training, seconds)
            yield Row(name, "training step", measure, precision, jit, batch_of_training)

    yield Row("", "machine", _machine)
    for precision in ("float32 (TF32)", "float32", "bfloat16"):
        measure = functools.partial(_multiply, size, _PRECISIONS[precision][0], seconds)
        yield Row(f"matrix of {size} x {size}", "product", measure, precision, jit=False)
    yield from training("float32 (TF32)", "bfloat16")
    for name, batch_size in itertools.product([*cases, "inception_v3"], batch_sizes):
        measure = functools.partial(_infer, name, batch_size, seconds)
        yield Row(name, "inference", measure, jit=False, batch_size=batch_size)
    yield from training("float16")
    yield from training("float32")


def _machine() -> dict[str, Any]:
    import tensorflow as tf

    from tf2cases.training import distribution

    build, gpus = tf.sysconfig.get_build_info(), tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    return {
        "device": distribution.device_name(),
        "compute_capability": ".".join(map(str, details.get("compute_capability", ()))) or None,
        "tensorflow": tf.__version__,
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
    }


def _multiply(size: int, dtype: str, seconds: float) -> dict[str, Any]:
    """Measures matrix products: powers of a matrix whose rows sum to 1, so that they stay finite."""
    import tensorflow as tf

    matrix = tf.random.stateless_uniform([size, size], [0, 1])
    matrix = tf.cast(matrix / tf.reduce_sum(matrix, axis=1, keepdims=True), dtype)

    @tf.function
    def multiply(power: tf.Tensor) -> tf.Tensor:
        for _ in range(_PRODUCTS_PER_CALL):
            power = tf.matmul(matrix, power)
        return power

    power = multiply(matrix)

    def work() -> int:
        nonlocal power
        power = multiply(power)
        float(power[0, 0])  # waits for the device
        return _PRODUCTS_PER_CALL

    work()  # warm-up: traces the function and lets the library choose its kernel
    rate, _, taken = rounds.timed(work, seconds)
    return {"rate": rate * 2 * size**3 / 1e12, "unit": "TFLOP/s", "seconds": taken}


def _train(name: str, precision: str, jit: bool, batch_size: int | None, seconds: float) -> dict[str, Any]:
    given = {} if batch_size is None else {"batch_size": batch_size}
    measured = steps.Steps(steps.CASES[name], None, precision=precision, jit="on" if jit else "off", **given)
    rate, _, taken = measured.measure(seconds)
    record = {"rate": rate, "unit": "examples/s", "seconds": taken, "first_seconds": measured.first_seconds}
    return {"batch_size": measured.batch_size, **record}


def _infer(name: str, batch_size: int, seconds: float) -> dict[str, Any]:
    """Measures repeated calls of a serving function on one batch, waiting for each answer."""
    import tensorflow as tf

    if name == "inception_v3":
        from tf2cases.inception_v3 import extractor

        model, signature = extractor.load("random", "").model, "serving_default"
    else:
        model, signature = steps.CASES[name].make(), "serving_default"
    function, request = model.signatures()[signature], model.requests()[signature]
    with steps.on_device():
        inputs = {key: tf.constant(np.resize(rows, [batch_size, *rows.shape[1:]])) for key, rows in request.items()}

    def work() -> int:
        for output in function(**inputs).values():
            output.numpy()
        return batch_size

    work()
    work()
    rate, _, taken = rounds.timed(work, seconds)
    return {"rate": rate, "unit": "examples/s", "seconds": taken}


def _line(record: dict[str, Any]) -> str:
    """The row as a line of text."""
    if record["error"]:
        result = f"failed: {record['error']}"
    elif record["what"] == "machine":
        keys = ("device", "compute_capability", "tensorflow", "cuda", "cudnn")
        return ", ".join(f"{key} {record[key]}" for key in keys)
    else:
        result = f"{record['rate']:,.5g} {record['unit']} in {record['seconds']:.2f} s"
    jit = {None: "", False: ", XLA off", True: ", XLA on"}[record["jit"]]
    batch = f", batch {record['batch_size']}" if record["batch_size"] else ""
    return f"{record['case']}, {record['what']}, {record['precision']}{jit}{batch}: {result}"
