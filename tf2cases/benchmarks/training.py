"""Training steps of this project and of its peers on the same networks, in examples/s.

    python -m bin.benchmark training --cases=mnist_mlp,mnist_cnn --against=keras,torch,jax --rounds=5 --seconds=4

How the comparison is made:

* Every contender is a process of its own and trains for --seconds in each round; the others wait. Rounds alternate in
  their order (A B, B A, ...). The ratio is computed per round: median [95 % bootstrap interval of the median].
* A peer is shown in each of its usual modes, and the fastest mode is the one compared. keras: compile and fit, several
  steps per call, without and with XLA. torch: PyTorch with channels_last, fused optimizers, denormals flushed and the
  memory settings that its tuning guide asks for, eager and compiled. jax: flax and optax, one jitted step that reuses
  its buffers. XLA is left out where it makes a step on a CPU several times slower.
* One step is forward, backward and update on a new batch of shuffled examples, which lie in memory, random and in the
  shape of the real set. Loss and optimizer are inside the compiled step. Layers, loss, optimizer, batch size and
  precision are the same. Every contender waits for the device after the same number of steps.
* Only this project computes pools before biases and activations, and enlarges and convolves in one step; that is what
  is measured. In the GANs, the generator's pictures for the discriminator's update are used for its own first update,
  too; a peer's step generates them again.
* import and first step: seconds to import, and to build, trace, compile and run the first call. memory: the peak of the
  process. --log adds a JSON line for each contender and round to a file.

PyTorch and JAX are not installed with this project (pip install 'tf2cases[peers]'); a missing one is left out.
"""

import contextlib
import datetime
import importlib
import importlib.util
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from tf2cases import files
from tf2cases.benchmarks import contender, rounds, steps
from tf2cases.benchmarks.keras_rivals import RIVALS
from tf2cases.configs import path_flags
from tf2cases.configs.run import PRECISIONS
from tf2cases.errors import RunError, UsageError

# {peer: (modes, packages that it needs)}.
PEERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "keras": (("graph", "xla"), ("keras",)),
    "torch": (("eager", "compile"), ("torch",)),
    "jax": (("jit",), ("jax", "flax", "optax")),
}
_OURS = "tf2cases"
# The cases that PyTorch and JAX have, too.
_COMMON = ("mnist_mlp", "mnist_cnn", "captcha", "autoencoder", "vae")
# PyTorch's tuning guide asks for an allocator that keeps freed memory; glibc does with these settings.
_TORCH_MEMORY = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=4294967296:glibc.malloc.top_pad=134217728"


def define(values: flags.FlagValues) -> None:
    steps.define_cases(values, tuple(RIVALS))
    rounds.define_rounds(values, 5, 4.0)
    flags.DEFINE_enum("precision", "float32", PRECISIONS, "Dtype of all computations.", flag_values=values)
    flags.DEFINE_list("against", ["keras"], f"Peers, separated by commas: {', '.join(PEERS)}.", flag_values=values)
    flags.DEFINE_integer(
        "batch_size",
        None,
        "Examples per step; default: that of the case.",
        lower_bound=1,
        upper_bound=contender.OF_LARGE,
        flag_values=values,
    )
    path_flags.define("log", None, "File to append the measurements to, as JSON lines.", path_flags.FILE, values)


def main(values: flags.FlagValues) -> None:
    steps.check_cases(values, tuple(RIVALS))
    for name in values.against or [""]:
        if name not in PEERS:
            raise UsageError(f"--against has {name!r}, but must be one or more of {', '.join(PEERS)}.")
    peers = [peer for peer in values.against if _is_installed(peer)]
    print(f"{os.cpu_count()} processors; {values.precision}; median [min .. max]")
    for name in values.cases:
        print(name)
        contenders = [(_OURS, ""), *_modes(name, peers, values.precision)]
        batch_size = values.batch_size or _batch_size(name)
        job = {"case": name, "precision": values.precision, "batch_size": batch_size}
        starts, measured = compare(job, contenders, values.rounds, values.seconds)
        _show(starts, measured)
        if values.log:
            with files.writing(values.log), open(values.log, "a", encoding="utf-8") as log:
                log.writelines(json.dumps(line) + "\n" for line in _lines(job, starts, measured))


def _is_installed(peer: str) -> bool:
    missing = [package for package in PEERS[peer][1] if importlib.util.find_spec(package) is None]
    if missing:
        print(f"{peer} is left out: {missing[0]} is not installed (pip install 'tf2cases[peers]').")
    return not missing


def _modes(case: str, peers: Sequence[str], precision: str) -> Iterator[tuple[str, str]]:
    """The (peer, mode) pairs that are measured; prints which peers are left out."""
    for peer in peers:
        if peer != "keras" and case not in _COMMON:
            print(f"  {peer} is left out: it has no network for {case} here.")
        elif peer != "keras" and precision == "float16":
            print(f"  {peer} is left out: it has no loss scale here.")
        else:
            modes, _ = PEERS[peer]
            yield from ((peer, mode) for mode in modes if not (mode == "xla" and RIVALS[case].large))


def _batch_size(name: str) -> int:
    """The case's default."""
    config = importlib.import_module(f"tf2cases.configs.{contender.case(name).case}").Config
    return config.batch_size


def compare(
    job: dict[str, Any], contenders: Sequence[tuple[str, str]], count: int, seconds: float
) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Measures contenders in turn.

    Args:
      job: `case`, `precision` and `batch_size`, for `contender.main`.
      contenders: (peer, mode) pairs.
      count: number of rounds.
      seconds: seconds per contender and round.

    Returns:
      {contender: what it said when it was ready} and {contender: [the numbers of each round]}; see `contender.main`.

    Raises:
      RunError: a contender failed.
    """
    with contextlib.ExitStack() as stack:
        processes = {}
        for peer, mode in contenders:
            name = peer if mode in ("", "graph", "eager", "jit") else f"{peer}+{mode}"
            setting = {"peer": peer, "mode": mode, "warm_up": min(1.0, seconds)}
            processes[name] = stack.enter_context(_Process({**job, **setting}))
        starts = {name: process.start for name, process in processes.items()}
        measured: dict[str, list[dict[str, Any]]] = {name: [] for name in processes}
        for i in range(count):
            for name in reversed(list(processes)) if i % 2 else processes:
                measured[name].append(processes[name].measure(seconds))
            rates = ", ".join(f"{name} {rows[-1]['rate']:,.0f}" for name, rows in measured.items())
            print(f"  round {i + 1}/{count}: {rates}", flush=True)
    return starts, measured


class _Process:
    """A contender; a context.

    Attributes:
      start: what it said when it was ready.
    """

    def __init__(self, job: dict[str, Any]):
        self._job = job

    def __enter__(self) -> "_Process":
        self._errors = tempfile.TemporaryFile("w+")
        environment = dict(os.environ)
        if self._job["peer"] == "torch":
            environment["GLIBC_TUNABLES"] = _TORCH_MEMORY
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tf2cases.benchmarks.contender", json.dumps(self._job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        try:
            self.start = self._answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def measure(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            last = (self._errors.read().strip().splitlines() or ["no message"])[-1]
            raise RunError(f"{self._job['peer']} {self._job['mode']} failed on {self._job['case']}: {last}")
        return json.loads(line)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()
        self._errors.close()


def interval(ratios: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median."""
    rng = random.Random(0)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws) - 1]


def _show(starts: dict[str, dict[str, Any]], measured: dict[str, list[dict[str, Any]]]) -> None:
    width = max(map(len, measured))
    for name, rows in measured.items():
        start = starts[name]
        print(
            f"  {name:{width}}  {rounds.spread([row['rate'] for row in rows], ',.0f')} examples/s  "
            f"{rounds.spread([row['cpu_ms'] for row in rows], '.3f')} CPU ms/example  "
            f"import {start['import_seconds']:.1f} s  first step {start['first_step_seconds']:.1f} s  "
            f"memory {max(row['peak_mb'] for row in rows):,.0f} MiB"
        )
    medians = {n: statistics.median(row["rate"] for row in rows) for n, rows in measured.items() if n != _OURS}
    if medians:
        fastest = max(medians, key=medians.__getitem__)
        pairs = zip(measured[_OURS], measured[fastest], strict=True)
        ratios = [ours["rate"] / theirs["rate"] for ours, theirs in pairs]
        low, high = interval(ratios)
        print(f"  {_OURS} / {fastest}: ratio {statistics.median(ratios):.2f} [{low:.2f} .. {high:.2f}]")


def _lines(
    job: dict[str, Any], starts: dict[str, dict[str, Any]], measured: dict[str, list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """One dict for each contender and round."""
    common = {"date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "commit": _commit(), **job}
    for name, rows in measured.items():
        for i, row in enumerate(rows):
            yield {**common, "contender": name, "round": i + 1, **starts[name], **row}


def _commit() -> str | None:
    """The commit of the source tree, if it is a git checkout."""
    root = pathlib.Path(__file__).parents[2]
    with contextlib.suppress(OSError):
        found = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
        if found.returncode == 0 and (root / ".git").exists():
            return found.stdout.strip()
    return None
