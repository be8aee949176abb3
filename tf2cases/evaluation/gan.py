"""Evaluates the pictures of a trained GAN by their distances from real ones, per checkpoint."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tf2cases import files, viz
from tf2cases.configs import RunConfig
from tf2cases.configs.evaluation import LEAST_PICTURES, SURE
from tf2cases.data.source import Source
from tf2cases.errors import RunError, UsageError
from tf2cases.evaluation import distances
from tf2cases.evaluation.picture_features import DigitFeatures, PictureFeatures
from tf2cases.training import Case, checkpoints, manifest, workdir

_BATCH = 500


def load_pictures(case: Case, config: RunConfig) -> Source:
    """Loads the pictures that a GAN was trained on, and the held-out ones.

    Args:
      case: the trained case.
      config: its config, possibly with another data folder.

    Raises:
      UsageError: the pictures now have another shape, or a split has fewer than `LEAST_PICTURES`.
    """
    source, trained_on = case.load(config), list(case.info["image_shape"])
    train, held_out = source.train["images"], source.test["images"]
    shape, what = list(held_out.shape[1:]), f"--dataset={config.dataset} has"
    if shape != trained_on:
        raise UsageError(f"{what} pictures of shape {shape} now, but the run was trained on {trained_on}.")
    if min(len(train), len(held_out)) < LEAST_PICTURES:
        found = f"{len(train)} training and {len(held_out)} held-out pictures"
        raise UsageError(f"{what} {found}, but must have at least {LEAST_PICTURES} of each.")
    return source


class Evaluation:
    """Computes what all checkpoints of a run share: the features of real pictures and the floor of the distances.

    The floor is real against real: the distance between randomly drawn training pictures, as many as are generated, and
    the held-out pictures.

    Args:
      case: the trained case, with any checkpoint's weights.
      source: its pictures, see `load_pictures`.
      features: the feature net.
      samples: number of pictures to generate, at most the number of training pictures.
      seed: seed of the latents and of the choice of training pictures.

    Attributes:
      features, samples: as above.
      frechet_floor: Frechet distance of real against real.
      kernel_floor: kernel distance of real against real, and its standard error.
    """

    def __init__(self, case: Case, source: Source, features: PictureFeatures, samples: int, seed: int):
        self.features, self.samples, self._seed = features, samples, seed
        train, held_out = source.train["images"], source.test["images"]
        self._latents = np.asarray(case.latents(samples, seed))
        self._real = self._computed("held-out pictures", held_out, lambda images: images)
        self._gaussian = distances.Gaussian(self._real)
        rows = np.sort(np.random.default_rng(seed).choice(len(train), samples, replace=False))
        others = self._computed("training pictures", rows, lambda part: train[part])
        self.frechet_floor, self.kernel_floor = self._distances(others)

    def measure(self, case: Case) -> dict[str, Any]:
        """Measures a case with the weights of a checkpoint; returns a JSON-compatible dict."""
        step, floor = int(case.step), self.frechet_floor
        features = self._computed(
            f"step {step:,}", self._latents, lambda z: viz.to_uint8(case.generate(tf.constant(z)).numpy())
        )
        frechet, (kernel, error) = self._distances(features)
        record = {
            "step": step,
            "samples": self.samples,
            "held_out": len(self._real),
            "seed": self._seed,
            "features": self.features.name,
            "frechet": frechet,
            "frechet_real": floor,
            "times_real": frechet / floor if floor else None,
            "kernel": kernel,
            "kernel_error": error,
            "kernel_real": self.kernel_floor[0],
            "kernel_real_error": self.kernel_floor[1],
        }
        if isinstance(self.features, DigitFeatures):
            scores = self.features.classify(features)
            counts = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1])
            record |= {
                "sure": _share_sure(scores),
                "sure_real": _share_sure(self.features.classify(self._real)),
                "classes": dict(zip(self.features.class_names, counts.tolist(), strict=True)),
                "entropy": entropy(counts),
            }
        return record

    def _computed(self, what: str, items: np.ndarray, pictures: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The features, float32 [N, d], of N items, which `pictures` converts to pictures batch by batch."""
        bar = tqdm(range(0, len(items), _BATCH), what, unit="picture", unit_scale=_BATCH, disable=None, leave=False)
        return np.concatenate([self.features(pictures(items[first : first + _BATCH])) for first in bar])

    def _distances(self, features: np.ndarray) -> tuple[float, tuple[float, float]]:
        """Frechet and kernel distance from the held-out pictures."""
        frechet = distances.Gaussian(features).distance(self._gaussian)
        return frechet, distances.kernel_distance(features, self._real)


def measure_all(evaluation: Evaluation, case: Case, path: str) -> Iterator[dict[str, Any]]:
    """Measures all checkpoints of a run, oldest first, and adds each record to the run's file of distances.

    A checkpoint that cannot be read is skipped, with a line on standard error: it is damaged, or was removed because
    training continues.

    Args:
      evaluation: the evaluation of this run.
      case: the case that the checkpoints are restored into.
      path: the run's folder.

    Raises:
      RunError: no checkpoint could be evaluated, or the disk is full.
    """
    directory, found = os.path.join(path, workdir.CHECKPOINTS), False
    run = workdir.read_record(path)["run"]
    for step in checkpoints.steps(directory):
        try:
            checkpoints.restore(directory, run, step, partial=True, case=case)
        except (RunError, UsageError) as error:
            print(f"the checkpoint of step {step} is skipped: {error}", file=sys.stderr)
            continue
        found, record = True, evaluation.measure(case)
        append(path, record)
        yield record
    if not found:
        raise RunError(f"none of the checkpoints in {directory} could be evaluated.")


def append(path: str, record: dict[str, Any]) -> None:
    """Adds a record to the file of distances in a run's folder.

    Raises:
      RunError: the disk is full.
    """
    with files.writing(path), open(manifest.own(path, workdir.SCORES), "a", encoding="utf-8") as opened:
        opened.write(json.dumps(record, ensure_ascii=False) + "\n")


def draw_curve(path: str, records: list[dict[str, Any]]) -> None:
    """Draws the Frechet distances of all checkpoints into a run's folder of pictures.

    Raises:
      RunError: the disk is full.
    """
    steps = [record["step"] for record in records]
    keys = {"generated": "frechet", "real": "frechet_real"}
    series = {name: (steps, [record[key] for record in records]) for name, key in keys.items()}
    with files.writing(path):
        file = manifest.own(path, workdir.PICTURES, "distances.png")
        viz.write_png(file, viz.curves(series, "Frechet distance from held-out pictures"))


def keep_best(path: str, record: dict[str, Any]) -> str:
    """Copies one checkpoint of a run to its folder `best`, as a run of its own, replacing an older one.

    Args:
      path: the run's folder.
      record: the record of the checkpoint to keep.

    Returns:
      The path of the new run.

    Raises:
      RunError: the disk is full.
    """
    checkpoint = checkpoints.path_of(os.path.join(path, workdir.CHECKPOINTS), record["step"])
    files.sweep(path)
    with files.writing(path):
        best = manifest.own(path, workdir.BEST)
        with files.temporary_folder(path, os.path.basename(best)) as folder:
            shutil.copytree(checkpoint, manifest.add(folder, workdir.CHECKPOINTS, os.path.basename(checkpoint)))
            append(folder, record)
            shutil.copy2(os.path.join(path, workdir.CONFIG), folder)
            files.publish(folder, best, replace=True)
    return best


def entropy(counts: np.ndarray | list[int]) -> float:
    """Entropy in nats of the distribution with counts [K]: 0 if only one is positive, ln K if all are equal."""
    shares = np.asarray(counts, np.float64) / np.sum(counts)
    return float(-np.sum(shares[shares > 0] * np.log(shares[shares > 0])) + 0.0)


def _share_sure(probabilities: np.ndarray) -> float:
    return float(np.mean(probabilities.max(axis=1) >= SURE))
