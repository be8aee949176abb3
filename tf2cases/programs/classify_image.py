"""Classifies photos with published Inception-v3 weights.

    python -m bin.classify_image photo.jpg --top_k=5
    python -m bin.classify_image --weights=keras --json --features=features.npy photos/

Prints the top classes of each picture, best first, one per line: name (score = 0.12345). Reads PNG, JPEG, GIF (one
frame), BMP, WebP, TIFF and PPM files, regardless of their names; a folder, or a zip or tar archive, stands for the
picture files in it and its sub-folders. A picture that cannot be read is named on standard error, and the others are
answered; the exit status is then 1, or 2 if none could be read. `--engine=graph` runs the original frozen graph of
2015; `--model` runs an exported model instead.
"""

import contextlib
import functools
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
from absl import flags

from tf2cases import files, quiet
from tf2cases.configs import path_flags
from tf2cases.configs.inception_v3 import WEIGHTS
from tf2cases.errors import UsageError
from tf2cases.programs import exports, given_pictures, inception_programs
from tf2cases.serving import directories

POSITIONAL = given_pictures.POSITIONAL

# Per batch: the paths; for each path [(name, score)], best first; features [n, 2048], or None if they were not
# requested and would take extra time.
_Answers = Iterator[tuple[Sequence[str], list[list[tuple[str, float]]], np.ndarray | None]]


def define(values: flags.FlagValues) -> None:
    inception_programs.define_weights(values)
    engine = "Engine to run: this project's network, or the original frozen graph of 2015."
    flags.DEFINE_enum("engine", "network", ["network", "graph"], engine, flag_values=values)
    exports.define_model(values)
    flags.DEFINE_integer(
        "top_k", 5, "Number of classes to print.", lower_bound=1, upper_bound=100_000, flag_values=values
    )
    flags.DEFINE_bool("json", False, "Print one JSON object per picture.", flag_values=values)
    features = "Write the 2,048 features of each picture to this .npy file, float32."
    path_flags.define("features", None, features, path_flags.FILE, values)
    flags.DEFINE_integer("batch_size", 16, "Pictures per batch.", lower_bound=1, upper_bound=2**16, flag_values=values)


def main(values: flags.FlagValues, arguments: list[str]) -> int:
    notes = sys.stderr if values.json else sys.stdout  # only JSON goes to standard output
    with contextlib.redirect_stdout(notes):
        paths = given_pictures.listed(arguments)
    if not paths:
        raise UsageError("no picture is given: name at least one picture file, or a folder of them.")
    _check(values)
    refused = given_pictures.Refused("classify_image")
    with contextlib.redirect_stdout(notes):
        quiet.import_tensorflow()
        answers = (_exported if values.model else _graph if values.engine == "graph" else _network)(
            values, paths, refused
        )
    features: list = []
    marks, done = [(0, time.perf_counter())], 0
    for batch, ranked, vectors in answers:
        for path, best in zip(batch, ranked, strict=True):
            _print(path, best, values.json, len(paths) > 1)
        if values.features:
            features.append(vectors)
        done += len(batch)
        marks.append((done, time.perf_counter()))
    if not done:
        return refused.exit_status(0)
    wrote = ""
    if values.features:
        wrote = f"; features float32 [{done}, {features[0].shape[1]}] are in {values.features}"
        with files.writing(values.features), files.replacing(values.features) as file:
            np.save(file, np.concatenate(features))
    # Exclude the first batch, which includes tracing the graph, if there are others.
    first, last = marks[1] if len(marks) > 2 else marks[0], marks[-1]
    rate = (last[0] - first[0]) / (last[1] - first[1])
    print(f"Done: {done:,} picture{'s'[: done != 1]}, {rate:.1f} pictures/s{wrote}.", file=notes)
    return refused.exit_status(done)


def _check(values: flags.FlagValues) -> None:
    """Refuses flags that contradict each other, before TensorFlow is imported."""
    if values.model and (values["weights"].present or values["engine"].present):
        raise UsageError("--model was given together with --weights or --engine, but must be given without them.")
    for name in ("labels", "weights_dir"):
        if values.model and values[name].present:
            raise UsageError(
                f"--{name} is {values[name].value!r}, but has no effect with --model, which contains its weights and "
                "the names of its classes: leave it out."
            )
    if values.engine == "graph" and values["batch_size"].present:
        raise UsageError(
            f"--batch_size is {values.batch_size}, but has no effect with --engine=graph, which takes one picture at a "
            "time: leave it out."
        )
    if values.model:
        directories.version_directory(values.model)
    inception_programs.check_sources(values)
    if values.engine == "graph" and values.weights in WEIGHTS and values.weights != "2015":
        raise UsageError(
            f"--engine=graph runs the graph of 2015, but --weights is {values.weights!r}; it must be 2015, or a path."
        )


# The engines: each function loads its model at once and computes the answers lazily.


def _network(values: flags.FlagValues, paths: list[str], refused: given_pictures.Refused) -> _Answers:
    from tf2cases import inception_v3

    model = inception_programs.load_model(values)
    if not model.class_names and not values.features:
        raise UsageError(
            f"--weights is {values.weights!r}, which has no classes, so that only features can be had: expected "
            "--features=FILE.npy."
        )

    def ranked(answer: dict[str, np.ndarray]) -> list[list[tuple[str, float]]]:
        scores = answer.get("probabilities", np.zeros([len(answer["features"]), 0]))
        return [inception_v3.best(row, model.class_names, model.top_k) for row in scores]

    answers = model.stream(paths, values.batch_size, refused)
    return ((batch, ranked(answer), answer["features"]) for batch, answer in answers)


def _graph(values: flags.FlagValues, paths: list[str], refused: given_pictures.Refused) -> _Answers:
    from tf2cases import inception_v3

    source = values.weights
    if source == "2015":
        source = inception_v3.weights.find(inception_v3.weights.PUBLISHED[source], values.weights_dir)
    engine = inception_v3.frozen_graph.Engine(source)
    names = inception_programs.class_names(values, engine.classes, source)
    answers = ((path, engine(picture)) for path, picture in refused.read(paths))
    return (
        ([path], [inception_v3.best(answer["probabilities"], names, values.top_k)], answer["features"][None])
        for path, answer in answers
    )


def _exported(values: flags.FlagValues, paths: list[str], refused: given_pictures.Refused) -> _Answers:
    needed = {"classify_bytes": ["image_bytes"], "features_bytes": ["image_bytes"]}
    model = exports.load(values.model, "Inception-v3", needed)

    def described(batch: Sequence[tuple[str, bytes]], answer: dict[str, np.ndarray]) -> tuple:
        count = answer["scores"].shape[1]
        if values["top_k"].present and values.top_k > count:
            raise UsageError(f"--top_k is {values.top_k}, but {model.where} returns at most {count} classes.")
        ranked = [
            [(name.decode(), float(score)) for name, score in zip(*row, strict=True)][: values.top_k]
            for row in zip(answer["classes"], answer["scores"], strict=True)
        ]
        names, pictures = zip(*batch, strict=True)
        if not values.features:
            return names, ranked, None
        return names, ranked, model.call("features_bytes", image_bytes=list(pictures))["features"]

    pictures = refused.read(paths)
    batches = iter(lambda: list(itertools.islice(pictures, values.batch_size)), [])
    answers = map(functools.partial(refused.ask, model, "classify_bytes"), batches)
    return itertools.starmap(described, itertools.chain.from_iterable(answers))


def _print(path: str, best: list[tuple[str, float]], as_json: bool, several: bool) -> None:
    path = os.fsencode(path).decode("utf-8", "replace")  # a file name may contain any bytes
    if as_json:
        names, scores = [name for name, _ in best], [score for _, score in best]
        print(json.dumps({"path": path, "classes": names, "scores": scores}, ensure_ascii=False))
        return
    if several:
        print(f"{path}:")
    for name, score in best:
        print(f"{name} (score = {score:.5f})")
