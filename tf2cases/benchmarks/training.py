"""Training steps against Keras' `fit` on the same networks, in examples/s.

    python -m bin.benchmark training --cases=mnist_mlp,mnist_cnn --rounds=7

Each round trains every contender for --seconds in turn; the ratio is computed per round. Keras runs with XLA and
without, several steps per call, and the faster of the two is compared. The data is random, in the shape of the real
set, and every step draws a new batch of it. Runs unchanged on a GPU.
"""

import functools
import statistics
from typing import Any

from absl import flags

from tf2cases import quiet
from tf2cases.benchmarks import keras_rivals, rounds, steps
from tf2cases.benchmarks.keras_rivals import RIVALS
from tf2cases.configs.run import PRECISIONS

_EXAMPLES, _FACES = 60_000, 2_000


def define(values: flags.FlagValues) -> None:
    steps.define_cases(values, tuple(RIVALS))
    rounds.define_rounds(values, 5, 4.0)
    flags.DEFINE_enum("precision", "float32", PRECISIONS, "Dtype of all computations.", flag_values=values)


def main(values: flags.FlagValues) -> None:
    steps.check_cases(values, tuple(RIVALS))
    quiet.import_tensorflow()
    print(rounds.title(values.precision))
    for name in values.cases:
        print(name)
        measured = compare(name, values.rounds, values.seconds, values.precision)
        medians = {n: statistics.median(rate for rate, *_ in rows) for n, rows in measured.items() if n != "tf2cases"}
        rival = max(medians, key=medians.__getitem__)
        rounds.show(measured, [("examples/s", ",.0f")], compared=("tf2cases", rival))


def compare(name: str, count: int, seconds: float, precision: str) -> dict[str, list[rounds.Numbers]]:
    """Measures a case and its rivals in turn.

    Args:
      name: name of the case.
      count: number of rounds.
      seconds: seconds per contender and round.
      precision: dtype of all computations.

    Returns:
      {contender: [the numbers of each round, examples per second first]}.
    """
    case, rival = steps.CASES[name], RIVALS[name]
    examples = _FACES if name == "dcgan_faces" else _EXAMPLES
    ours = steps.Steps(case, examples, precision=precision, jit="auto")
    contenders: dict[str, Any] = {"tf2cases": ours}
    arrays = case.arrays(examples)
    for jit in (False,) if rival.large else (False, True):
        contenders["keras+xla" if jit else "keras"] = keras_rivals.Fit(rival, arrays, ours.batch_size, precision, jit)

    def progress(number: int, measured: dict[str, list[rounds.Numbers]]) -> None:
        rates = ", ".join(f"{name} {rows[-1][0]:,.0f}" for name, rows in measured.items())
        print(f"  round {number}/{count}: {rates}", flush=True)

    measures = {name: functools.partial(contender.measure, seconds) for name, contender in contenders.items()}
    return rounds.interleaved(measures, count, progress)
