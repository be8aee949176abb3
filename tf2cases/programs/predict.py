"""Asks a model about pictures, numbers or latents: an export, or a model on a server.

    python -m bin.predict --model=exports/mnist_cnn digit.png
    python -m bin.predict --server=localhost:8500 --name=captcha --json captchas/
    python -m bin.predict --rest=http://localhost:8501 --name=houses --values=2104,3
    python -m bin.predict --model=exports/dcgan_celeba --latents_seed=7 --count=16 --out=faces.png
    python -m bin.predict --model=exports/mnist_cnn --inputs=images.npy --json

Prints one line for each picture or row: what was asked, the answer and its probability. The three ways to a model give
the same lines. The signature that answers is chosen by what is given; --signature chooses another. A model that answers
with pictures needs --out. --server and --rest do not load TensorFlow.

Reads PNG, JPEG, GIF, BMP, WebP, TIFF and PPM files with one picture, regardless of their names; a folder, or a zip or
tar archive, stands for the picture files in it and its sub-folders. A picture that cannot be read is named on standard
error, and the others are answered; the exit status is then 1, or 2 if none could be read. There must be one digit,
anywhere on a page that is lighter or darker than it; with --several there may be up to 32, which are read line by line.
A picture of 28x28 pixels is used as it is, like MNIST's. A captcha reader and --several answer with the text and the
product of the probabilities of its characters; with --json, --several also gives the boxes of the digits.

--repeat=N sends the first batch N times more, --concurrency=C of them at a time, and prints throughput and latencies.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from tf2cases import files
from tf2cases.configs import path_flags
from tf2cases.errors import UsageError
from tf2cases.programs import exports, given_pictures

if TYPE_CHECKING:
    from tf2cases.serving.client import Client

POSITIONAL = given_pictures.POSITIONAL

_CERTAINTIES = ("confidence", "probability", "probabilities", "scores")
_ALTERNATIVES = ("values", "latents_seed", "inputs")


@dataclasses.dataclass(frozen=True)
class _Question:
    """What is asked: a signature, {input: array}, and a label for each row."""

    signature: str
    inputs: Mapping[str, Any]
    labels: Sequence[str]
    key: str = "input"

    def part(self, start: int, stop: int) -> "_Question":
        inputs = {key: value[start:stop] for key, value in self.inputs.items()}
        return dataclasses.replace(self, inputs=inputs, labels=self.labels[start:stop])

    def about(self, batch: Sequence[tuple[str, bytes]]) -> "_Question":
        """The same question about pictures, (path, content)."""
        (key,) = self.inputs
        return dataclasses.replace(
            self, inputs={key: [content for _, content in batch]}, labels=[path for path, _ in batch]
        )

    def ask(self, model: "Client") -> dict[str, np.ndarray]:
        return model.call(self.signature, **self.inputs)


def define(values: flags.FlagValues) -> None:
    exports.define_where(values)
    text: Any = dict(flag_values=values)
    flags.DEFINE_string("signature", None, "Signature to call; by default, the one that answers for the input.", **text)
    flags.DEFINE_bool("several", False, "Read the digits of each picture one by one.", **text)
    flags.DEFINE_multi_string("values", None, "A row of numbers, such as 2104,3; may be repeated.", **text)
    flags.DEFINE_integer("latents_seed", None, "Draw latents with this seed.", 0, 2**63 - 1, **text)
    flags.DEFINE_integer("count", 1, "Number of latents.", 1, 10_000, **text)
    path_flags.define(
        "inputs", None, "A .npy file, or a .npz or JSON file {name: values} of inputs.", path_flags.READ, values
    )
    out = "Where to write the pictures of the answer: a picture file, or a folder for one file each."
    path_flags.define("out", None, out, path_flags.OTHER, values)
    flags.DEFINE_bool("json", False, "Print a JSON object per line, with all outputs of the model.", **text)
    flags.DEFINE_integer("batch_size", 100, "Rows per request.", 1, 2**16, **text)
    flags.DEFINE_integer("repeat", 0, "How often the first request is repeated for timing.", 0, 10**7, **text)
    flags.DEFINE_integer("concurrency", 1, "Repeated requests at a time.", 1, 1000, **text)


def main(values: flags.FlagValues, arguments: list[str]) -> int:
    exports.check_where(values, arguments)
    _check(values, arguments)
    with contextlib.redirect_stdout(sys.stderr):  # only answers go to standard output
        paths = given_pictures.listed(arguments)
    if paths and values.out is not None:
        is_folder = _is_folder(values.out)
        targets = [_in_folder(values.out, _stem(path)) for path in paths] if is_folder else [values.out]
        given_pictures.check_kept("--out", values.out, paths, targets)
        if is_folder:
            given_pictures.check_targets(paths, targets)
    refused = given_pictures.Refused("predict")
    pictures = refused.read(paths)
    first = list(itertools.islice(pictures, values.batch_size))  # before a model is loaded, which takes seconds
    if paths and not first:
        return refused.exit_status(0)
    rows = _rows(values.values)
    arrays = _arrays(values.inputs)
    answered = 0
    with exports.connect(values) as model:
        question = _question(values, model, bool(paths), rows, arrays)
        saved: list[tuple[str, bytes]] = []
        asked = None
        for part, answer in _answers(model, question, values.batch_size, first, pictures, refused):
            _show(values, part, answer, model, saved)
            answered += len(part.labels)
            asked = asked or part
        if saved:
            _write(values.out, saved, values.json)
        if values.repeat and asked:
            from tf2cases.serving import client

            timing = client.measure(lambda: asked.ask(model), values.repeat, values.concurrency)
            line = timing.line(len(asked.labels), values.concurrency)
            print(line, file=sys.stderr if values.json else sys.stdout)
    return refused.exit_status(answered)


def _answers(
    model: "Client",
    question: _Question,
    size: int,
    first: list[tuple[str, bytes]],
    pictures: Iterator[tuple[str, bytes]],
    refused: given_pictures.Refused,
) -> Iterator[tuple[_Question, dict[str, np.ndarray]]]:
    """(question, answer) for each batch of at most `size` rows, or of pictures: the `first` ones and the others."""
    while first:
        for batch, answer in refused.ask(model, question.signature, first):
            yield question.about(batch), answer
        first = list(itertools.islice(pictures, size))
    for start in range(0, len(question.labels), size):
        part = question.part(start, start + size)
        yield part, part.ask(model)


def _check(values: flags.FlagValues, arguments: list[str]) -> None:
    """Refuses flags that contradict each other, before anything is loaded."""
    given = [f"--{name}" for name in _ALTERNATIVES if values[name].value is not None]
    given += ["pictures"] if arguments else []
    if not given:
        raise UsageError(
            "no picture is given: name at least one picture file or a folder, or give --values, --latents_seed or "
            "--inputs."
        )
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} were given, but only one of them can be.")
    if values.several and (not arguments or values.signature is not None):
        why = "--signature is given too" if arguments else "there are no pictures"
        raise UsageError(f"--several is given, but {why}: it must be given with pictures, and without --signature.")
    if values["count"].present and values.latents_seed is None:
        raise UsageError(f"--count is {values.count}, but --latents_seed is not given: it must be given too.")
    if values["concurrency"].present and not values.repeat:
        raise UsageError(f"--concurrency is {values.concurrency}, but --repeat is not given: it must be given too.")
    if values.out is not None:
        path_flags.check("out", values.out, path_flags.FOLDER if _is_folder(values.out) else path_flags.PICTURE)


def _is_folder(out: str) -> bool:
    """Whether --out is a folder: an existing one, or a name without an ending."""
    return os.path.isdir(out) or not (os.path.splitext(out)[1] or files.is_special(out))


def _in_folder(out: str, name: str) -> str:
    return os.path.join(out, f"{name}.png")


def _stem(label: str) -> str:
    """The name of a picture without its folder and ending."""
    return os.path.splitext(os.path.basename(label))[0]


def _rows(given: Sequence[str] | None) -> list[list[float]]:
    rows = []
    for text in given or ():
        try:
            rows.append([float(number) for number in text.split(",")])
        except ValueError as error:
            raise UsageError(
                f"--values is {text!r}, but must be numbers separated by commas, such as 2104,3."
            ) from error
        if len(rows[-1]) != len(rows[0]):
            raise UsageError(f"--values is {text!r}, but must have {len(rows[0])} numbers like the first row.")
    return rows


def _arrays(path: str | None) -> dict[str | None, Any]:
    """{input name: values} of --inputs; the name is None for a .npy file."""
    if path is None:
        return {}
    expected = f"--inputs is {path!r}, but must be a .npy, .npz or JSON file"
    try:
        files.check_regular(path)
        if path.endswith((".npy", ".npz")):
            loaded = np.load(path, allow_pickle=False)
            return dict(loaded) if path.endswith(".npz") else {None: loaded}
        record = files.read_json(path)
    except Exception as error:  # NumPy raises all kinds of errors for damaged files
        raise UsageError(f"{expected} ({files.reason(error)}).") from error
    if not isinstance(record, dict) or not record:
        raise UsageError(f'{expected} of named inputs, such as {{"features": [[2104, 3]]}}.')
    try:
        return {name: _array(value) for name, value in record.items()}
    except ValueError as error:
        raise UsageError(f"{expected} with lists of equal length ({files.reason(error)}).") from error


def _array(value: Any) -> np.ndarray:
    array = np.array(value)
    return np.array(value, object) if array.dtype.kind == "U" else array


def _question(values, model, is_pictures, rows, arrays) -> _Question:
    """What is asked, for the signature that answers for it; without the pictures."""
    from tf2cases.serving import signatures as rule

    if arrays:
        return _named(values, model, arrays)
    kind = "pictures" if is_pictures else "values" if rows else "latents"
    name = values.signature or (rule.SEVERAL if values.several else model.signature_for(kind))
    if values.several and name not in model.signatures:
        raise UsageError(
            f"--several is given, but {model.where} has no signature {name}; it must be a model of digits, exported by "
            "this version."
        )
    if name not in model.signatures:
        raise UsageError(f"--signature is {name!r}, but must be one of {', '.join(model.signatures)}.")
    inputs = model.signatures[name].inputs
    if len(inputs) != 1:
        raise UsageError(f"--signature is {name!r}, but takes {', '.join(inputs)}: it must be given --inputs.")
    ((key, spec),) = inputs.items()
    if is_pictures:
        if spec.dtype != object:
            raise UsageError(f"--signature is {name!r}, but takes {key} {spec} and no picture files.")
        return _Question(name, {key: []}, [], "path")
    if rows:
        return _Question(name, {key: np.array(rows)}, values.values, "values")
    shape: Any = spec.shape or ()
    if len(shape) != 2 or not shape[1]:
        raise UsageError(
            f"--latents_seed is given, but signature {name!r} takes {key} {spec}; it must be float [n, k]."
        )
    z = rule.draw_latents(model.signatures, values.count, shape[1], values.latents_seed)
    return _Question(name, {key: z}, [f"{number:04d}" for number in range(values.count)], "latents")


def _named(values, model, arrays) -> _Question:
    name = values.signature
    if None in arrays:
        (array,) = arrays.values()
        name = name or _signature_of_array(model, array)
        if len(model.signatures.get(name).inputs if name in model.signatures else ()) == 1:
            arrays = {next(iter(model.signatures[name].inputs)): array}
    name = name or model.signature_of_inputs(arrays)
    counts = {len(value) if value.ndim else 0 for value in arrays.values()}
    if len(counts) != 1 or not min(counts):
        raise UsageError(
            f"--inputs is {values.inputs!r}, but its arrays must have equally many rows, and at least one."
        )
    labels = [f"{values.inputs}[{row}]" for row in range(counts.pop())]
    return _Question(name, {str(key): value for key, value in arrays.items()}, labels)


def _signature_of_array(model, array):
    """The signature that takes an array without a name."""
    keys = {next(iter(found.inputs)) for found in model.signatures.values() if len(found.inputs) == 1}
    for key in sorted(keys):
        try:
            return model.signature_of_inputs({key: array})
        except UsageError:
            continue
    return model.signature_of_inputs({"the array": array})


def _show(values, question: _Question, outputs: Mapping[str, np.ndarray], model, saved: list) -> None:
    """Prints the lines of a batch, or collects its pictures."""
    from tf2cases.serving import signatures as rule

    plain = {name: value for name, value in outputs.items() if not name.endswith("_bytes")}
    pictures = [name for name in outputs if name.endswith("_bytes")]
    if pictures and (values.out is not None or not plain):
        if values.out is None:
            raise UsageError(
                f"signature {question.signature!r} of {model.where} answers with pictures: --out must say where to "
                "write them."
            )
        saved += zip(map(_stem, question.labels), outputs[pictures[0]].tolist(), strict=True)
    elif values.out is not None:
        raise UsageError(
            f"--out is {values.out!r}, but signature {question.signature!r} answers with {', '.join(plain)} and with "
            "no pictures; it must be given without --out."
        )
    for row, label in enumerate(question.labels if plain else ()):
        answer = {name: value[row] for name, value in plain.items()}
        if values.several:  # without the places that are not used
            answer |= {name: answer[name][: answer["count"]] for name in rule.OF_SEVERAL}
        if values.json:
            print(_as_json(question.key, label, answer))
        else:
            print("\t".join([label, *_line(answer, question, model)]))


def _line(answer: Mapping[str, Any], question: _Question, model) -> Iterator[str]:
    """The answer of one row: the first text and the model's certainty, or else the numbers, one for each output.

    Raises:
      UsageError: the outputs are no such answer.
    """
    ranked = answer["classes"].tolist()[:1] if isinstance(answer.get("classes"), np.ndarray) else []
    texts = [value for value in answer.values() if isinstance(value, bytes)] or ranked
    certainty = _certainty(answer)
    if texts or certainty is not None:
        yield from (_plain(text) for text in texts[:1])
        if certainty is not None:
            yield f"{certainty:.4f}"
        return
    numbers = [value for value in answer.values() if np.size(value) == 1]
    if not numbers:
        raise UsageError(
            f"signature {question.signature!r} of {model.where} answers with {', '.join(sorted(answer))}, which are "
            "too many numbers for a line: --json prints them, and --signature calls another signature."
        )
    yield from (f"{float(np.ravel(value)[0]):.7g}" for value in numbers)


def _as_json(key: str, label: str, answer: dict[str, Any]) -> str:
    certainty = _certainty(answer)
    if certainty is not None and not {"confidence", "probability"} & set(answer):
        answer = {**answer, "probability": certainty}
    return json.dumps({key: label, **answer}, ensure_ascii=False, default=_plain)


def _certainty(answer: Mapping[str, Any]) -> float | None:
    """The maximum of the first output that states the model's certainty, or None."""
    return next((float(np.max(answer[name])) for name in _CERTAINTIES if name in answer), None)


def _plain(value: Any) -> Any:
    """Converts arrays, NumPy scalars and bytes to JSON types."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value.tolist()


def _write(out: str, saved: Sequence[tuple[str, bytes]], as_json: bool) -> None:
    """Writes pictures: each to a file in a folder, one as it is, or several as a montage."""
    notes = sys.stderr if as_json else sys.stdout
    if _is_folder(out):
        for name, content in saved:
            path = _in_folder(out, name)
            with files.writing(path):
                files.write_bytes(path, content)
            print(path, file=notes)
        return
    from tf2cases import viz
    from tf2cases.data.pictures import decoding

    pictures = [np.asarray(decoding.opened(content)) for _, content in saved]
    pictures = [picture if picture.ndim == 3 else picture[..., None] for picture in pictures]
    with files.writing(out):
        viz.write_picture(out, pictures[0] if len(pictures) == 1 else viz.montage(np.stack(pictures)))
    print(f"{out}: {len(pictures):,} picture{'s'[: len(pictures) != 1]}.", file=notes)
