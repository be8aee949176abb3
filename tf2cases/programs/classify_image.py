"""Says what is on pictures, with Inception-v3 and trained weights.

    python -m bin.classify_image photo.jpg --top_k=5
    python -m bin.classify_image --weights=keras --json --features=features.npy photos/

For each picture its best classes, best first, a line each: name (score = 0.12345). Pictures are PNG, JPEG, GIF (one
frame), BMP, WebP, TIFF or PPM files, whatever they are called; of a folder, those with the usual endings are taken,
sub-folders too. `--engine=graph` runs the graph of 2015 as it is; `--model` asks an export instead.
"""

import contextlib
import json
import os
import sys
import time

import numpy as np
from absl import flags

from tf2cases import inception_v3
from tf2cases.configs.inception_v3 import WEIGHTS
from tf2cases.data.pictures import files as picture_files
from tf2cases.data.pictures.folder import PictureFolder
from tf2cases.errors import RunError, UsageError
from tf2cases.programs import inception_programs
from tf2cases.serving.model import Model


def define(values):
    inception_programs.define_weights(values)
    flags.DEFINE_enum(
        "engine",
        "network",
        ["network", "graph"],
        "What computes: this project's network, or the frozen graph of 2015 itself.",
        flag_values=values,
    )
    flags.DEFINE_string("model", None, "Ask this export instead, such as exports/inception_v3.", flag_values=values)
    flags.DEFINE_integer("top_k", 5, "How many classes.", lower_bound=1, flag_values=values)
    flags.DEFINE_bool("json", False, "Print one JSON object a picture.", flag_values=values)
    flags.DEFINE_string(
        "features", None, "Write the 2,048 features of each picture to this .npy file, float32.", flag_values=values
    )
    flags.DEFINE_integer("batch_size", 16, "Pictures at a time.", lower_bound=1, flag_values=values)


def main(values, arguments):
    paths = _pictures(arguments)
    make = _exported if values["model"].value else {"graph": _graph, "network": _network}[values.engine]
    if values["model"].value and (values["weights"].present or values["engine"].present):
        raise UsageError("--model and --weights or --engine were both given, but only one of them can be.")
    notes = sys.stderr if values.json else sys.stdout  # nothing but JSON on standard output
    with contextlib.redirect_stdout(notes):
        ask = make(values)
    features, marks, done = [], [(0, time.perf_counter())], 0
    for batch, ranked, vectors in ask(paths):
        for path, best in zip(batch, ranked, strict=True):
            _print(path, best, values.json, len(paths) > 1)
        if values["features"].value:
            features.append(vectors)
        done += len(batch)
        marks.append((done, time.perf_counter()))
    wrote = ""
    if values["features"].value:
        wrote = f"; features float32 [{done}, {features[0].shape[1]}] are in {values['features'].value}"
        _save(values["features"].value, np.concatenate(features))
    # Without the first batch, which waits for the graph to be traced, if there are others.
    first, last = marks[1] if len(marks) > 2 else marks[0], marks[-1]
    rate = (last[0] - first[0]) / (last[1] - first[1])
    print(f"Done: {done:,} picture{'s'[: done != 1]}, {rate:.1f} pictures/s{wrote}.", file=notes)


main.positional = "PICTURE_OR_FOLDER..."


def _pictures(arguments):
    if not arguments:
        raise UsageError("no picture is given: name at least one picture file, or a folder of them.")
    paths = []
    for argument in arguments:
        if os.path.isdir(argument):
            paths += [os.path.join(argument, name) for name in PictureFolder(argument).names]
        else:
            paths.append(argument)
    return paths


# Each of the following takes the flags and returns a function: paths -> iterator of (paths of a batch, for each
# [(name, score)] best first, features [n, 2048], or None if they cost extra and are not wanted).


def _network(values):
    model = inception_programs.load_model(values, values.top_k)

    def ask(paths):
        for batch, answer in model.stream(paths, values.batch_size):
            scores = answer.get("probabilities", np.zeros([len(batch), 0]))
            yield batch, [inception_v3.best(row, model.class_names, model.top_k) for row in scores], answer["features"]

    return ask


def _graph(values):
    path = values["weights"].value
    if path in WEIGHTS:
        if path != "2015":
            raise UsageError(
                f"--engine=graph runs the graph of 2015, but --weights is {path!r}; it must be 2015, or a path."
            )
        path = inception_v3.weights.find(inception_v3.weights.PUBLISHED[path], values["weights_dir"].value)
    engine = inception_v3.frozen_graph.Engine(path)
    names = inception_programs.class_names(values, engine.classes, path)

    def ask(paths):
        for path in paths:
            answer = engine(picture_files.read(path))
            yield [path], [inception_v3.best(answer["probabilities"], names, values.top_k)], answer["features"][None]

    return ask


def _exported(values):
    model = Model(values["model"].value)
    if not {"serving_default", "features"} <= set(model.signatures):
        raise UsageError(
            f"{model.path} has the signatures {', '.join(model.signatures)}, but must have serving_default and "
            "features: it is no export of Inception-v3."
        )

    def ask(paths):
        for i in range(0, len(paths), values.batch_size):
            batch = paths[i : i + values.batch_size]
            files = [picture_files.read(path) for path in batch]
            answer = model.call("serving_default", image_bytes=files)
            count = answer["scores"].shape[1]
            if values["top_k"].present and values.top_k > count:
                raise UsageError(f"--top_k is {values.top_k}, but {model.path} tells {count} classes at most.")
            ranked = [
                [(name.decode(), float(score)) for name, score in zip(*row, strict=True)][: values.top_k]
                for row in zip(answer["classes"], answer["scores"], strict=True)
            ]
            wanted = values["features"].value
            vectors = model.call("features", image_bytes=files)["features"] if wanted else None
            yield batch, ranked, vectors

    return ask


def _print(path, best, as_json, several):
    path = os.fsencode(path).decode("utf-8", "replace")  # a name may be any bytes
    if as_json:
        names, scores = [name for name, _ in best], [score for _, score in best]
        print(json.dumps({"path": path, "classes": names, "scores": scores}, ensure_ascii=False))
        return
    if several:
        print(f"{path}:")
    for name, score in best:
        print(f"{name} (score = {score:.5f})")


def _save(path, array):
    try:
        with open(path, "wb") as file:
            np.save(file, array)
    except OSError as error:
        raise RunError(f"--features: {path} could not be written: {error.strerror}.") from error
