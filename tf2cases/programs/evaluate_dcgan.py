"""Measures the distance between the pictures of a DCGAN and real ones.

    python -m bin.evaluate_dcgan --workdir=runs/dcgan --samples=10000

Computes features of the generated and the held-out pictures, and prints the Frechet distance and the kernel distance
(unbiased, with its standard error) between them. The floor is real against real: the distance between the same held-out
pictures and randomly drawn training pictures, as many as are generated; the Frechet distance is also printed as a
multiple of its floor. For digits the features are those of this project's MNIST CNN, which is trained first if it does
not exist; the CNN also reports the share of generated digits that it is sure of, and the predicted classes. For other
pictures the features are those of a fixed net with random weights. Neither yields numbers that can be compared with
published FID.

Each evaluation adds a line to distances.jsonl in the workdir. --every_checkpoint prints a table and draws the curve in
pictures/distances.png. --keep_best copies the checkpoint with the smallest Frechet distance to the folder `best` in the
workdir, as a run of its own: pass --workdir=runs/dcgan/best to export or any other program.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from absl import flags

from tf2cases.configs import path_flags
from tf2cases.configs.evaluation import FEATURES, LEAST_PICTURES, SURE
from tf2cases.errors import UsageError
from tf2cases.programs import case_programs

REQUIRED = ("workdir",)


def define(values: flags.FlagValues) -> None:
    case_programs.define_workdir(values)
    case_programs.define_data_dir(values)
    flags.DEFINE_integer("samples", 10000, "Number of pictures to generate.", upper_bound=10**7, flag_values=values)
    flags.DEFINE_integer(
        "seed",
        0,
        "Seed of the latents and of the choice of training pictures.",
        upper_bound=2**63 - 1,
        flag_values=values,
    )
    flags.DEFINE_bool("every_checkpoint", False, "Evaluate all checkpoints of the run.", flag_values=values)
    best = "Evaluate all checkpoints, and copy the best to WORKDIR/best as a run of its own."
    flags.DEFINE_bool("keep_best", False, best, flag_values=values)
    flags.DEFINE_string("features", "auto", f"Features to compare: one of {', '.join(FEATURES)}.", flag_values=values)
    classifier = (
        "Workdir of the MNIST CNN that judges digits; default: that of train_mnist --recipe=best. With "
        "--features=inception: the weights, as in classify_image; default: 2015."
    )
    path_flags.define("classifier", None, classifier, path_flags.OTHER, values)


def main(values: flags.FlagValues) -> None:
    path, every = values.workdir, values.every_checkpoint or values.keep_best
    for name, least in {"samples": LEAST_PICTURES, "seed": 0}.items():
        if (given := getattr(values, name)) < least:
            raise UsageError(f"--{name} is {given}, but must be at least {least}.")
    if values.features not in FEATURES:
        raise UsageError(f"--features is {values.features!r}, but must be one of {', '.join(FEATURES)}.")
    if every and values.step is not None:
        raise UsageError(f"--step is {values.step}, but must not be given with --every_checkpoint or --keep_best.")
    path_flags.check("workdir", path, path_flags.FOLDER)
    if values.classifier and values.features != "inception":
        path_flags.check("classifier", values.classifier, path_flags.READ)
    case = case_programs.restore(values)
    from tf2cases.evaluation import gan, picture_features

    config = case.config
    if not (hasattr(case, "generate") and hasattr(case, "latents")):
        raise UsageError(
            f"--workdir is {path!r}, but it holds a run of the case {config.case!r}, which generates no pictures; "
            "it must be a run of a DCGAN."
        )
    if values.data_dir is not None:
        config = dataclasses.replace(config, data_dir=values.data_dir)
        config.check_used({"data_dir": values.data_dir})
    source, shape = gan.load_pictures(case, config), case.info["image_shape"]
    features = picture_features.make(values.features, config.dataset, config.data_dir, shape, values.classifier)
    print(f"Features: {features.name}{'' if features.comparable else '; not comparable with published FID'}.")
    real = len(source.train["images"])
    if real < values.samples:
        fewer = f"so {real:,} are generated instead of {values.samples:,}, since the floor needs as many real ones."
        print(f"{config.dataset} has {real:,} training pictures, {fewer}")
    evaluation = gan.Evaluation(case, source, features, min(values.samples, real), values.seed)
    print(
        f"Real against real, {evaluation.samples:,} training pictures against {len(source.test['images']):,} held-out "
        f"ones of {config.dataset}: Frechet distance {evaluation.frechet_floor:.5g}, kernel distance "
        f"{_with_error(*evaluation.kernel_floor)}."
    )
    if not every:
        record = evaluation.measure(case)
        gan.append(path, record)
        print(f"{config.name} at step {record['step']:,}, {record['samples']:,} generated pictures:")
        print("\n".join(_sentences(record)))
        return
    records: list[dict] = []
    for record in gan.measure_all(evaluation, case, path):
        if not records:
            print(_header(record))
        print(_row(record), flush=True)
        records.append(record)
    gan.draw_curve(path, records)
    if values.keep_best:
        best = min(records, key=lambda record: record["frechet"])
        kept = gan.keep_best(path, best)
        print(f"The best checkpoint is that of step {best['step']:,}; it is saved as the run {kept}.")


def _sentences(record: dict[str, Any]) -> Iterator[str]:
    """The printed report of one checkpoint."""
    times = f"{record['times_real']:.2f} times real against real" if record["times_real"] else "real against real is 0"
    yield f"  Frechet distance: {record['frechet']:.5g}, {times}"
    yield f"  kernel distance: {_with_error(record['kernel'], record['kernel_error'])}"
    if "classes" in record:
        held_out = f"{record['sure_real']:.1%} of the held-out pictures"
        yield f"  the classifier is sure (at least {SURE:.0%}) of {record['sure']:.1%} of them, and of {held_out}"
        yield "  predicted classes: " + ", ".join(f"{n}: {c:,}" for n, c in record["classes"].items())
        entropy, most = record["entropy"], math.log(len(record["classes"]))
        bits = f"{entropy / math.log(2):.3f} of {most / math.log(2):.3f} bits"
        yield f"  entropy of the predicted classes: {entropy:.3f} of at most {most:.3f} nats ({bits})"


def _header(record: dict[str, Any]) -> str:
    """The first line of the table of all checkpoints."""
    judged = f" {'sure':>7} {'entropy':>8}" if "classes" in record else ""
    return f"{'step':>8} {'Frechet':>10} {'times real':>10} {'kernel':>22}{judged}"


def _row(record: dict[str, Any]) -> str:
    """A checkpoint's line in the table of all checkpoints."""
    times = f"{record['times_real']:.2f}" if record["times_real"] else "-"
    kernel = _with_error(record["kernel"], record["kernel_error"])
    judged = f" {record['sure']:7.1%} {record['entropy']:8.3f}" if "classes" in record else ""
    return f"{record['step']:8,} {record['frechet']:10.5g} {times:>10} {kernel:>22}{judged}"


def _with_error(value: float, error: float) -> str:
    return f"{value:.5f} +- {error:.5f}"
