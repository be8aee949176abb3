"""House prices, or any other table of numbers in a CSV file: features and one target."""

import io
import math
from csv import Error as CsvError
from csv import reader as csv_reader

import numpy as np

from tf2cases import files
from tf2cases.data.source import Source, testdata_path
from tf2cases.errors import UsageError

_Rows = list[tuple[int, list[str]]]  # [(line number, fields)]
_MAX_BYTES = 2**30  # of a file
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def load(
    csv: str | None = None, features: str | None = None, target: str | None = None, header: str = "auto"
) -> Source:
    """Loads a CSV file: UTF-8 with or without BOM, commas, fields quoted or not.

    Args:
      csv: path; `testdata/houses.csv` by default.
      features: columns, comma-separated, each a name or a 0-based number; by default all but the
        target.
      target: a column likewise; by default the last.
      header: "yes", "no", or "auto": there is one if a field of the first row is not a number.
        Without a header the columns are called column_0, column_1, ...

    Returns:
      Source with "features" float32 [N, n] and "targets" float32 [N] in the file's own units. `test`
      is `train`: with 47 rows nothing is held out, and the original evaluates on its training data.
      `info` has feature_names, target_name, and mean and std (sample standard deviation, ddof 1,
      computed in float64) of the features followed by the target.

    Raises:
      UsageError: the file is not valid, or not with these columns.
    """
    path = csv or testdata_path("houses.csv")
    rows = _read(path)
    names, rows = _split_header(path, rows, header)
    target_column = _column(path, names, target, "target") if target else len(names) - 1
    if features:
        wanted = next(csv_reader([features], skipinitialspace=True))
        columns = [_column(path, names, name, "features") for name in wanted]
        if target_column in columns:
            raise UsageError(
                f"--features={features} includes the target {names[target_column]!r}: expected other columns of {path}."
            )
        if len(set(columns)) < len(columns):
            raise UsageError(f"--features={features} names a column twice: expected each column once.")
    else:
        columns = [i for i in range(len(names)) if i != target_column]
    for line, row in rows:
        if len(row) != len(names):
            raise UsageError(
                f"--csv={path}, line {line} has {len(row)} fields: expected {len(names)}, as in the first row."
            )
    if len(rows) < len(columns) + 1:
        raise UsageError(
            f"--csv={path} has {len(rows)} rows of numbers: expected at least {len(columns) + 1} for {len(columns)} "
            "features."
        )
    columns.append(target_column)
    table = np.array([[_number(path, names, i, line, row[i]) for i in columns] for line, row in rows])
    single = table.astype(np.float32)
    for i, column in zip(columns, single.T, strict=True):
        if column.min() == column.max():
            raise UsageError(
                f"--csv={path}: column {names[i]!r} is {column[0]:g} in every row, so it cannot be "
                "normalised: expected at least two different numbers."
            )
    arrays = {"features": np.ascontiguousarray(single[:, :-1]), "targets": np.ascontiguousarray(single[:, -1])}
    info = {
        "feature_names": [names[i] for i in columns[:-1]],
        "target_name": names[target_column],
        "mean": table.mean(axis=0).tolist(),
        "std": table.std(axis=0, ddof=1).tolist(),
    }
    return Source("houses", {"train": arrays, "test": arrays}, info)


def _read(path: str) -> _Rows:
    """[(line number, fields)] of a CSV file, blank lines left out."""
    try:
        text = files.read_bytes(path, _MAX_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"--csv={path} does not exist: expected a CSV file.") from None
    except OSError as error:
        raise UsageError(f"--csv={path} cannot be read ({error.strerror}): expected a CSV file.") from error
    except UnicodeDecodeError:
        raise UsageError(f"--csv={path} is not text in UTF-8: expected a CSV file.") from None
    if "\0" in text:
        raise UsageError(f"--csv={path} is a binary file: expected a CSV file.")
    reader = csv_reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    rows = []
    try:
        for fields in reader:
            fields = [field.strip() for field in fields]
            if fields and fields != [""]:
                rows.append((reader.line_num, fields))
    except CsvError as error:
        raise UsageError(
            f"--csv={path}, line {reader.line_num} is not CSV ({error}): expected fields separated by "
            "commas, quoted or not."
        ) from error
    if not rows:
        raise UsageError(f"--csv={path} is empty: expected rows of numbers.")
    return rows


def _split_header(path: str, rows: _Rows, header: str) -> tuple[list[str], _Rows]:
    """The names of the columns, and the rows of numbers."""
    if header not in ("auto", "yes", "no"):
        raise UsageError(f"--header is {header!r}, but must be one of auto, yes, no.")
    first = rows[0][1]
    if len(first) < 2:
        raise UsageError(
            f"--csv={path} has one column: expected at least a feature and a target, separated by a comma."
        )
    if header == "no" or (header == "auto" and all(not f or _is_number(f) for f in first)):
        return [f"column_{i}" for i in range(len(first))], rows
    return first, rows[1:]


def _is_number(text: str) -> bool:
    """Whether a field is a plain ASCII number: not 1_000, no digits of other scripts."""
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text


def _column(path: str, names: list[str], wanted: str, flag: str) -> int:
    """The index of a column given by name or number; names take precedence."""
    wanted = wanted.strip()
    if names.count(wanted) > 1:
        raise UsageError(
            f"--{flag}: {names.count(wanted)} columns of {path} are called {wanted!r}: expected a "
            f"number from 0 to {len(names) - 1} instead."
        )
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and len(wanted) < 10 and int(wanted) < len(names):
        return int(wanted)
    raise UsageError(
        f"--{flag}: {path} has no column {wanted!r}: expected one of {', '.join(names)}, or a number "
        f"from 0 to {len(names) - 1}."
    )


def _number(path: str, names: list[str], column: int, line: int, text: str) -> float:
    """A field as a float that float32 can hold."""
    where = f"--csv={path}, line {line}, column {names[column]!r}"
    if not _is_number(text):
        raise UsageError(f"{where} is {text!r}: expected a number.")
    value = float(text)
    if not math.isfinite(value) or abs(value) > _FLOAT32_MAX:
        raise UsageError(f"{where} is {text!r}: expected a finite number that float32 can hold.")
    return value
