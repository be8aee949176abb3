"""The dry run: what training would do, without doing it."""

import dataclasses
import os
import shutil
from collections.abc import Iterator

from tf2cases.configs import RunConfig
from tf2cases.data import pipeline, preparation
from tf2cases.data.source import Source
from tf2cases.training import checkpoints, distribution, manifest
from tf2cases.training.case import Case, evaluate
from tf2cases.training.clock import Clock, duration
from tf2cases.training.setup import build, check_length, checkpoint_space
from tf2cases.training.steps import TracedSteps
from tf2cases.training.workdir import CHECKPOINTS, CONFIG, check, read_record

_STEPS = 5  # steps that are timed


def plan(case_class: type[Case], config: RunConfig) -> Iterator[str]:
    """Describes what `loop.train` would do, line by line. Nothing is written, downloaded, drawn or prepared.

    The data are loaded if they need no preparation. Then a few steps of a new case are run to estimate the time.

    Raises:
      UsageError: as `loop.train`.
    """
    folder = config.folder
    if os.path.isdir(folder):
        check(folder, config)
    yield "Dry run: nothing is written."
    yield "Config:"
    defaults = {f.name: f.default for f in dataclasses.fields(config)}
    for name, value in dataclasses.asdict(config).items():
        if value is not None:
            yield f"  --{name}={value}{'' if value == defaults[name] else '  (not the default)'}"
    yield _workdir(config)
    if config.export_dir:
        exported = os.path.join(config.export_dir, config.publish_as or os.path.basename(os.path.abspath(folder)))
        yield f"Export: a new version in {exported}."
    try:
        with preparation.forbidden():
            source = case_class.load(config)
    except preparation.NotPreparedError as error:
        size = f" ({error.size}). Times" if error.size else ". Sizes and times"
        yield f"Data: not ready; the run would first {error}{size} can be told once this is done."
        return
    yield _data(source)
    strategy = distribution.make(config.strategy)
    config, case, progress = build(case_class, config, source, strategy)
    check_length(config)
    parameters = sum(v.shape.num_elements() for v in case.trainable_variables)
    yield f"Case: {parameters:,} trainable parameters, {config.precision}, {distribution.device_name()}."
    existing = next(path for path in _upwards(folder) if os.path.isdir(path))
    free = shutil.disk_usage(existing).free / 1e9
    yield f"Disk: {checkpoint_space(case, source)}; {free:,.1f} GB are free."
    yield _time(case, source, progress, strategy)


def _workdir(config: RunConfig) -> str:
    folder = config.folder
    if not os.path.exists(os.path.join(folder, CONFIG)):
        return f"Workdir: {folder}, a new run."
    if config.overwrite:
        return f"Workdir: {folder}; its run is removed first, {len(manifest.listed(folder)):,} files and folders."
    steps = checkpoints.steps(os.path.join(folder, CHECKPOINTS))
    run = read_record(folder)["run"]
    return f"Workdir: {folder}, run {run[:8]}, resumed from step {steps[-1] if steps else 0:,}."


def _upwards(folder: str) -> Iterator[str]:
    path = os.path.abspath(folder)
    while True:
        yield path
        path = os.path.dirname(path)


def _data(source: Source) -> str:
    parts, size = [], 0
    for split, arrays in source.splits.items():
        rows = len(next(iter(arrays.values())))
        columns = ", ".join(f"{name} {values.dtype} {list(values.shape[1:])}" for name, values in arrays.items())
        parts.append(f"{rows:,} for {split} ({columns})")
        size += sum(values.dtype.itemsize * _count(values.shape) for values in arrays.values())
    return f"Data: {source.name}, {'; '.join(parts)}; {size / 1e6:,.1f} MB."


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _time(case: Case, source: Source, progress, strategy) -> str:
    """Estimates the time of the steps and evaluations of a whole run."""
    config, clock = case.config, Clock()
    batches = pipeline.Batches(source.train, config.batch_size, 0, case.shuffle)
    traced = TracedSteps(case, batches, progress, strategy)
    traced.many(1)
    compiled = clock.elapsed()
    traced.many(_STEPS)
    step = (clock.elapsed() - compiled) / _STEPS
    before = clock.elapsed()
    evaluate(case, source)
    evaluation = clock.elapsed() - before
    every = config.eval_every or batches.end_of_epoch(0)
    count = -(-config.steps // every)
    total = compiled + step * config.steps + evaluation * count
    steps, evaluations = f"step{'s'[: config.steps != 1]}", f"evaluation{'s'[: count != 1]}"
    return (
        f"Time: about {duration(total)} for all {config.steps:,} {steps}: {compiled:.1f} s to compile, "
        f"{1000 * step:,.1f} ms a step (mean of {_STEPS}), {count:,} {evaluations} of {evaluation:.1f} s; pictures and "
        "checkpoints not included."
    )
