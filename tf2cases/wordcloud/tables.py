"""Tables of words and weights as CSV files, to inspect, edit and draw from."""

import csv
import io
import math

from tf2cases import files
from tf2cases.wordcloud import reading
from tf2cases.wordcloud.messages import bilingual_error

HEADER = ("word", "weight")
MAX_BYTES = 50_000_000


def as_text(weights: dict[str, float]) -> str:
    """The table as CSV with a header line; weights have full precision."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(weights.items())
    return buffer.getvalue()


def write_table(path: str, weights: dict[str, float]) -> None:
    """Writes the table in UTF-8 with a byte order mark, without which spreadsheet programs garble Chinese.

    Raises:
      OSError: the file cannot be written; an older file is then unchanged.
    """
    files.write_bytes(path, as_bytes(weights))


def as_bytes(weights: dict[str, float]) -> bytes:
    """The content of the file that `write_table` writes."""
    return as_text(weights).encode("utf-8-sig")


def read_table(path: str) -> dict[str, float]:
    """Reads a table of `word,weight` lines, in an encoding that `opened` recognises, with or without the header.

    Args:
      path: a file, or "-" for standard input.

    Returns:
      {word: weight}, the heaviest first.

    Raises:
      UsageError: it is unreadable or empty, a line is not a word and a number above 0, or a word appears twice; the
        message names the line.
    """
    weights: dict[str, float] = {}
    lines: dict[str, int] = {}
    with reading.opened(path, "--frequencies") as text:
        if text.size > MAX_BYTES:
            raise bilingual_error(
                f"{text.name}, which has {text.size:,} bytes, but must have at most {MAX_BYTES:,}.",
                f"（词频表过大，最多 {MAX_BYTES:,} 字节。）",
            )
        rows = csv.reader(io.StringIO(text.all(), newline=""))
        try:
            for row in rows:
                if row and not (rows.line_num == 1 and tuple(cell.strip().lower() for cell in row) == HEADER):
                    word, weight = _entry(text.name, rows.line_num, row)
                    if word in weights:
                        raise _bad(text.name, rows.line_num, f"repeats {word!r} from line {lines[word]}")
                    weights[word], lines[word] = weight, rows.line_num
        except csv.Error as error:
            raise _bad(text.name, rows.line_num, f"is not CSV ({files.reason(error)})") from error
        if not weights:
            raise bilingual_error(
                f"{text.name}, but it has no words: expected lines like word,3.5.", "（词频表里没有词。）"
            )
    return dict(sorted(weights.items(), key=lambda item: item[1], reverse=True))


def _entry(name, line, row):
    if len(row) != 2:
        raise _bad(name, line, f"has {len(row)} columns")
    word = row[0].strip()
    if not word or not word.translate({ord(joiner): None for joiner in "\u200c\u200d"}).isprintable():
        raise _bad(name, line, f"has {word!r} as its word")
    try:
        weight = float(row[1])
    except ValueError:
        weight = math.nan
    if not (weight > 0 and math.isfinite(weight)):
        raise _bad(name, line, f"has the weight {row[1].strip()!r}")
    return word, weight


def _bad(name, line, what):
    return bilingual_error(
        f"{name}, but its line {line} {what}: expected word,weight with a weight above 0, each word once.",
        f"（第 {line} 行有误，每行应为“词,权重”，权重须大于 0，词不可重复。）",
    )
