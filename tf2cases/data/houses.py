"""House prices, or any other table of numbers in a CSV file: features and one target."""

import io
import math
import re
from csv import Error as CsvError
from csv import reader as csv_reader

import numpy as np

from tf2cases import files
from tf2cases.data.source import Source, testdata_path
from tf2cases.errors import UsageError

_Rows = list[tuple[int, list[str]]]  # [(line number, fields)]
_MAX_BYTES = 2**30  # of a file
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_UNNAMED = ("", "Unnamed: 0")  # pandas' index as written, and as written after it was read again
_MISSING = ("", "-", "--", "?", ".", "n/a", "#n/a", "na", "<na>", "nan", "null", "none", "missing")  # in lower case


def load(
    csv: str | None = None, features: str | None = None, target: str | None = None, header: str = "auto"
) -> Source:
    """Loads a CSV file: UTF-8 with or without BOM, commas, fields quoted or not.

    Args:
      csv: path; `testdata/houses.csv` by default.
      features: columns, comma-separated, each a name or a 0-based number; by default all but the
        target, a first column without a name (pandas' index), and empty columns.
      target: a column likewise; by default the last that is not empty.
      header: "yes", "no", or "auto": there is one if the first row has names and no numbers.
        Without a header the columns are called column_0, column_1, ...

    Returns:
      Source with "features" float64 [N, n] and "targets" float64 [N] in the file's own units, of which float32 would
      lose much: times in milliseconds since 1970 differ by minutes at least. `test`
      is `train`: with 47 rows nothing is held out, and the original evaluates on its training data.
      `info` has feature_names, target_name, and mean and std (sample standard deviation, ddof 1,
      computed in float64) of the features followed by the target.

    Raises:
      UsageError: the file is not valid, or not with these columns.
    """
    path = csv or testdata_path("houses.csv")
    rows = _read(path)
    names, rows = _split_header(path, rows, header)
    # A comma at the end of every line makes a column without a name or a value.
    filled = [i for i in range(len(names)) if (names[i] and not names[i].startswith("column_")) or _has_values(rows, i)]
    target_column = _column(path, names, target, "target") if target else filled[-1]
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
        columns = [i for i in filled if i != target_column]
        if names[0] in _UNNAMED and columns[:1] == [0] and len(columns) > 1:
            columns = columns[1:]
            print(
                f"--csv={path}: the first column has no name, so it is left out as the index of the rows; "
                f"--features={','.join(map(str, [0, *columns]))} takes it as a feature."
            )
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
    for i, column in zip(columns, table.T, strict=True):
        if column.min() == column.max():
            raise UsageError(
                f"--csv={path}: column {names[i]!r} is {column[0]:g} in every row, so it cannot be "
                "normalised: expected at least two different numbers, or --features without it."
            )
    arrays = {"features": np.ascontiguousarray(table[:, :-1]), "targets": np.ascontiguousarray(table[:, -1])}
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
        raise UsageError(f"--csv={path} cannot be read ({files.reason(error)}): expected a CSV file.") from error
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
            f"--csv={path}, line {reader.line_num} is not CSV ({files.reason(error)}): expected fields separated by "
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
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if (len(first) == 1 and mark in first[0]) or any(re.search(rf"\d{mark}[-+.\d]", field) for field in first):
            raise UsageError(
                f"--csv={path} has {name} between its fields: expected commas, and points in numbers such as 1234.5."
            )
    if len(first) < 2:
        raise UsageError(
            f"--csv={path} has one column: expected at least a feature and a target, separated by a comma."
        )
    numbers = [field for field in first if _is_number(field) and field.lower() not in _MISSING]
    texts = [field for field in first if not _is_number(field) and field.lower() not in _MISSING]
    if header == "auto" and numbers and texts:
        raise UsageError(
            f"--csv={path}: the first row has numbers such as {numbers[0]!r} and text such as {texts[0]!r}, so it can "
            "be names or data: expected --header=yes or --header=no."
        )
    if header == "no" or (header == "auto" and not texts):
        return [f"column_{i}" for i in range(len(first))], rows
    return first, rows[1:]


def _has_values(rows: _Rows, column: int) -> bool:
    return not rows or any(row[column] for _, row in rows if column < len(row))


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
        raise UsageError(
            f"{where} is {text!r}: expected a number such as 1234.5, without separators of thousands, units or percent "
            "signs; missing values must be filled in, or their rows removed."
        )
    value = float(text)
    if not math.isfinite(value) or abs(value) > _FLOAT32_MAX:
        raise UsageError(f"{where} is {text!r}: expected a finite number that float32 can hold.")
    return value
