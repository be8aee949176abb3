"""Says how good a DCGAN's pictures are, as numbers: how far from real ones they lie.

python -m bin.evaluate_dcgan --workdir=runs/dcgan_mnist --samples=10000

Generated and held-out pictures become features, and of these the Frechet distance and the kernel distance (unbiased,
with its standard error) are printed. Real against real is the floor: as many training pictures as there are generated
ones, drawn at random, against the same held-out ones; the Frechet distance is also printed as a multiple of that. For
digits the features are those of this project's MNIST CNN, trained now if there is none, which also says how many of the
generated digits it is sure of, and what they are. For other pictures the features are those of a fixed net with random
weights. Neither gives numbers to compare with published FID.

Each evaluation adds a line to distances.jsonl in the workdir. With --every_checkpoint there is a table, and the curve
in pictures/distances.png. With --keep_best the folder `best` in the workdir becomes a run that holds nothing but the
checkpoint with the smallest Frechet distance: --workdir=runs/dcgan_mnist/best for bin.export and every other program.
"""

import dataclasses
import json
import math
import os
import shutil
import sys

from tf2cases.programs import quiet as _quiet  # isort: skip  # noqa: F401  (before TensorFlow)

import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from tf2cases import cases, viz
from tf2cases.errors import RunError, UsageError
from tf2cases.evaluation import distances, picture_features
from tf2cases.files import writing
from tf2cases.programs import case_programs, common
from tf2cases.training import checkpoints, workdir

# The classifier is sure of a picture if it gives one class at least this probability.
_SURE = 0.9
# The kernel distance's standard error needs as many.
_LEAST_PICTURES = 3
_BATCH = 500


def define(values):
    case_programs.define_workdir(values)
    flags.DEFINE_integer("samples", 10000, "How many pictures are generated.", flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of the latents and of the training pictures.", flag_values=values)
    flags.DEFINE_bool("every_checkpoint", False, "Evaluate all checkpoints that are kept.", flag_values=values)
    flags.DEFINE_bool(
        "keep_best", False, "Evaluate them all, and copy the best to WORKDIR/best as a run of its own.",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_string(
        "features", "auto", f"What is compared: one of {', '.join(picture_features.NAMES)}.", flag_values=values
    )
    flags.DEFINE_string(
        "classifier", None, "Workdir of the MNIST CNN that judges digits; default: runs/DATASET_cnn_best. With "
        "--features=inception its weights, as classify_image takes them; default: 2015.",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_string("data_dir", None, "Where the data set is now; default: where it was.", flag_values=values)


def main(values):
    path = common.required(values, "workdir")
    every = values.every_checkpoint or values.keep_best
    for name, least in (("samples", _LEAST_PICTURES), ("seed", 0)):
        if values[name].value < least:
            raise UsageError(f"--{name} is {values[name].value}, but must be at least {least}.")
    if every and values.step is not None:
        raise UsageError(f"--step is {values.step}, but must not be given where every checkpoint is evaluated.")
    case = cases.restore(path, values.step)
    if not (hasattr(case, "generate") and hasattr(case, "latents")):
        raise UsageError(
            f"--workdir is {path!r}, but it holds a run of the case {case.config.case!r}, which generates no pictures; "
            "it must be a DCGAN's."
        )
    evaluation = Evaluation(case, values)
    if not every:
        record = evaluation.measure(case)
        _append(path, record)
        print("\n".join(evaluation.sentences(record)))
        return
    records = _measure_all(path, case, evaluation)
    _draw(path, records)
    if values.keep_best:
        best = min(records, key=lambda record: record["frechet"])
        print(f"The best is that of step {best['step']:,}; it is kept as the run {_keep_best(path, best)}.")


class Evaluation:
    """What is computed once for all checkpoints: the features of real pictures, and their distance from one another.

    Args:
      case: the trained case, at any checkpoint.
      values: the program's flags.
    """

    def __init__(self, case, values):
        config = case.config
        if values.data_dir is not None:
            config = dataclasses.replace(config, data_dir=values.data_dir)
        source, shape = type(case).load(config), tuple(case.info["image_shape"])
        train, held_out = source.train["images"], source.test["images"]
        if held_out.shape[1:] != shape:
            raise UsageError(
                f"--dataset={config.dataset} has pictures {list(held_out.shape[1:])} now, but the run was trained on "
                f"{list(shape)}."
            )
        if min(len(train), len(held_out)) < _LEAST_PICTURES:
            raise UsageError(
                f"--dataset={config.dataset} has {len(train)} training and {len(held_out)} held-out pictures, but must "
                f"have at least {_LEAST_PICTURES} of each."
            )
        self.features = picture_features.make(
            values.features, config.dataset, config.data_dir, shape, values.classifier
        )
        comparable = "" if self.features.comparable else "; not comparable with published FID"
        print(f"Features: {self.features.name}{comparable}.")
        self.samples, self.seed, self.name = min(values.samples, len(train)), values.seed, config.name
        if self.samples < values.samples:
            print(
                f"{config.dataset} has {len(train):,} training pictures, so that many are generated, not "
                f"{values.samples:,}: the floor is to have as many."
            )
        self._latents = case.latents(self.samples, self.seed)
        self._real = self._computed(_slices(held_out), len(held_out), "held-out pictures")
        self._gaussian = distances.Gaussian.fit(self._real)
        rows = np.sort(np.random.default_rng(self.seed).choice(len(train), self.samples, replace=False))
        drawn = (train[rows[first : first + _BATCH]] for first in range(0, len(rows), _BATCH))
        others = self._computed(drawn, len(rows), "training pictures")
        self._floor, self._kernel_floor = self._distance(others), distances.kernel_distance(others, self._real)
        print(
            f"Real against real, {self.samples:,} training pictures against {len(held_out):,} held-out ones of "
            f"{config.dataset}: Frechet distance {self._floor:.5g}, kernel distance {_with_error(self._kernel_floor)}."
        )

    def measure(self, case):
        """The numbers of a case with some checkpoint's weights: a dict that JSON can hold."""
        images = (
            viz.to_uint8(case.generate(tf.constant(latents)).numpy()) for latents in _slices(np.asarray(self._latents))
        )
        features = self._computed(images, self.samples, f"step {int(case.step):,}")
        value, error = distances.kernel_distance(features, self._real)
        frechet = self._distance(features)
        record = {
            "step": int(case.step), "samples": self.samples, "held_out": len(self._real), "seed": self.seed,
            "features": self.features.name, "frechet": frechet, "frechet_real": self._floor,
            "times_real": frechet / self._floor if self._floor else None, "kernel": value, "kernel_error": error,
            "kernel_real": self._kernel_floor[0], "kernel_real_error": self._kernel_floor[1],
        }  # fmt: skip
        if self._judges:
            scores = self.features.classify(features)
            counts = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1])
            record |= {
                "sure": _share_sure(scores),
                "sure_real": _share_sure(self.features.classify(self._real)),
                "classes": dict(zip(self.features.class_names, counts.tolist(), strict=True)),
                "entropy": entropy(counts),
            }
        return record

    @property
    def _judges(self):
        """Whether the features come from a classifier."""
        return hasattr(self.features, "classify")

    def _computed(self, batches, total, what):
        """The features, float32 [total, d], of batches of pictures."""
        with tqdm(total=total, desc=what, unit="picture", disable=None, leave=False, dynamic_ncols=True) as bar:
            found = []
            for images in batches:
                found.append(self.features(images))
                bar.update(len(images))
        return np.concatenate(found)

    def _distance(self, features):
        return distances.Gaussian.fit(features).distance(self._gaussian)

    def sentences(self, record):
        """What is printed of one checkpoint."""
        times = f"{record['times_real']:.2f} times real against real" if record["times_real"] else "real is at 0"
        yield f"{self.name} at step {record['step']:,}, {record['samples']:,} generated pictures:"
        yield f"  Frechet distance: {record['frechet']:.5g}, {times}"
        yield f"  kernel distance: {_with_error((record['kernel'], record['kernel_error']))}"
        if self._judges:
            most = math.log(len(record["classes"]))
            yield (
                f"  the classifier is sure (at least {_SURE:.0%}) of {record['sure']:.1%} of them, and of "
                f"{record['sure_real']:.1%} of the held-out pictures"
            )
            yield "  what it takes them for: " + ", ".join(f"{n}: {c:,}" for n, c in record["classes"].items())
            yield (
                f"  entropy of that: {record['entropy']:.3f} of at most {most:.3f} nats "
                f"({record['entropy'] / math.log(2):.3f} of {most / math.log(2):.3f} bits)"
            )

    def header(self):
        """The first line of the table of all checkpoints."""
        judged = f" {'sure':>7} {'entropy':>8}" if self._judges else ""
        return f"{'step':>8} {'Frechet':>10} {'times real':>10} {'kernel':>22}{judged}"

    def row(self, record):
        """A checkpoint's line in it."""
        times = f"{record['times_real']:.2f}" if record["times_real"] else "-"
        kernel = _with_error((record["kernel"], record["kernel_error"]))
        judged = f" {record['sure']:7.1%} {record['entropy']:8.3f}" if self._judges else ""
        return f"{record['step']:8,} {record['frechet']:10.5g} {times:>10} {kernel:>22}{judged}"


def entropy(counts):
    """Entropy in nats of the shares that counts [K] have in their sum: 0 if all are of one kind, ln K if equal."""
    shares = np.asarray(counts, np.float64) / np.sum(counts)
    return float(-np.sum(shares[shares > 0] * np.log(shares[shares > 0])) + 0.0)


def _share_sure(probabilities):
    return float(np.mean(probabilities.max(axis=1) >= _SURE))


def _with_error(measured):
    return f"{measured[0]:.5f} +- {measured[1]:.5f}"


def _slices(array):
    return (array[first : first + _BATCH] for first in range(0, len(array), _BATCH))


def _measure_all(path, case, evaluation):
    """The records of all checkpoints, oldest first, printed as a table; what cannot be read is passed over."""
    directory = os.path.join(path, workdir.CHECKPOINTS)
    records = []
    print(evaluation.header())
    for step in checkpoints.steps(directory):
        try:
            checkpoints.restore(directory, step, partial=True, case=case)
        except (RunError, UsageError) as error:  # damaged; or removed since, by a training that goes on
            print(f"the checkpoint of step {step} is passed over: {error}", file=sys.stderr)
            continue
        records.append(evaluation.measure(case))
        _append(path, records[-1])
        print(evaluation.row(records[-1]), flush=True)
    if not records:
        raise RunError(f"none of the checkpoints in {directory} could be evaluated.")
    return records


def _append(path, record):
    file = os.path.join(path, workdir.DISTANCES)
    with writing(file), open(file, "a", encoding="utf-8") as opened:
        opened.write(json.dumps(record, ensure_ascii=False) + "\n")


def _draw(path, records):
    steps = [record["step"] for record in records]
    series = {
        "generated": (steps, [record["frechet"] for record in records]),
        "real": (steps, [record["frechet_real"] for record in records]),
    }
    file = os.path.join(path, workdir.PICTURES, "distances.png")
    with writing(file):
        viz.write_png(file, viz.curves(series, "Frechet distance from held-out pictures"))


def _keep_best(path, record):
    """Makes WORKDIR/best a run with that checkpoint alone, in place of the one that was there; returns its path."""
    step, best, partial = (
        record["step"],
        os.path.join(path, workdir.BEST),
        os.path.join(path, f".{workdir.BEST}-partial"),
    )
    with writing(best):
        shutil.rmtree(partial, ignore_errors=True)
        os.makedirs(partial)
        shutil.copy2(os.path.join(path, workdir.CONFIG), partial)
        source = checkpoints.path_of(os.path.join(path, workdir.CHECKPOINTS), step)
        shutil.copytree(source, os.path.join(partial, workdir.CHECKPOINTS, os.path.basename(source)))
        _append(partial, record)
        # A folder cannot be renamed onto another: for a moment there is none, but never half of one.
        old = os.path.join(path, f".{workdir.BEST}-old")
        shutil.rmtree(old, ignore_errors=True)
        if os.path.exists(best):
            os.rename(best, old)
        os.rename(partial, best)
        shutil.rmtree(old, ignore_errors=True)
    return best
