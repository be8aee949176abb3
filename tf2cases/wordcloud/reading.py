"""Text files of any length, read in pieces: UTF-8 with and without a byte order mark, and GB18030."""

import codecs
import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

from tf2cases.wordcloud import words
from tf2cases.wordcloud.messages import bilingual_error

BLOCK = 1 << 17  # bytes read at once; limits the memory for segmenting a text without line breaks
_SAMPLE = 1 << 20  # bytes from which binary files and false GB18030 are detected
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))
_UP_TO_A_BREAK = re.compile(r".*[\s\u200b，。、；：！？…—“”（）《》,;!?()\"]", re.DOTALL)
_ENCODINGS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with BOM", "gb18030": "GB18030"}
# A third or more of any Chinese text, simplified or traditional, but only a few percent of bytes misread as GB18030.
_COMMON = frozenset(
    "的一是不了人我在有他这這个個们們来來到时時大地为為子中你说說生国國年着著就那和要出也得里裡后後自以会會家可下而"
    "过過天去能对對小多然于於心学學么麼之都好看起发發当當没沒成只如事把还還用第样樣道想作开開其此所者曰与與无無上"
)


class Text:
    """An opened text.

    Attributes:
      name: the beginning of messages about it: "--text is PATH".
      encoding: "UTF-8", "UTF-8 with BOM" or "GB18030".
      size: in bytes.
    """

    def __init__(self, file: IO[bytes], name: str):
        self._file = file
        self.name = name
        self.size = file.seek(0, os.SEEK_END)
        self._codec = _codec_of(file, name)
        self.encoding = _ENCODINGS[self._codec]

    def chunks(self, progress: Callable[[int], None] | None = None) -> Iterator[str]:
        """The text from its beginning, normalised, in pieces that end between words; only one is in memory at a time.

        Args:
          progress: called with the bytes read since the last call.
        """
        rest = ""
        for text, read in _decoded(self._file, self._codec):
            if progress:
                progress(read)
            text = rest + text
            end = _last_break(text)
            rest = text[end:]
            if end:
                yield words.normalised(text[:end])
        if rest:
            yield words.normalised(rest)

    def sample(self) -> str:
        """The first characters, from at most `BLOCK` bytes, normalised: enough to tell the language."""
        return words.normalised(next((text for text, _ in _decoded(self._file, self._codec) if text), ""))

    def all(self) -> str:
        """The whole text, normalised."""
        return words.normalised("".join(text for text, _ in _decoded(self._file, self._codec)))


@contextlib.contextmanager
def opened(path: str, flag: str = "--text") -> Iterator[Text]:
    """Opens a text; in the `with` block it can be read repeatedly.

    Args:
      path: a file, or "-" for standard input. If it cannot be read twice, as a pipe, it is copied to a temporary file.
      flag: the flag that gave the path, for messages.

    Raises:
      UsageError: it is missing, unreadable, empty, a binary file, or neither UTF-8 nor GB18030.
    """
    name = f"{flag} is {path!r}"
    try:
        source = sys.stdin.buffer if path == "-" else open(path, "rb")
    except OSError as error:
        raise bilingual_error(
            f"{name}, but it cannot be read ({error.strerror}): expected a text file, or - for standard input.",
            "（无法读取该文件，请给出一个文本文件，或用 - 表示标准输入。）",
        ) from error
    with contextlib.ExitStack() as stack:
        if path != "-":
            stack.enter_context(source)
        if path == "-" or not source.seekable():
            kept = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(source, kept, BLOCK)
            source = kept
        yield Text(source, name)


def _blocks(file) -> Iterator[bytes]:
    """The bytes from the beginning in blocks, followed by one empty block."""
    file.seek(0)
    while block := file.read(BLOCK):
        yield block
    yield b""


def _decoded(file, codec) -> Iterator[tuple[str, int]]:
    """Pairs of text and the number of bytes read for it."""
    decoder = codecs.getincrementaldecoder(codec)()
    for block in _blocks(file):
        yield decoder.decode(block, final=not block), len(block)


def _last_break(text) -> int:
    """The end of the last white space or punctuation mark; the end of the text if there is none."""
    match = _UP_TO_A_BREAK.match(text)
    return match.end() if match else len(text)


def _codec_of(file, name) -> str:
    file.seek(0)
    start = file.read(_SAMPLE)
    if len(start) < _SAMPLE and not start.removeprefix(codecs.BOM_UTF8).strip():
        raise bilingual_error(f"{name}, but it is empty: expected some words.", "（文本为空，请给出有内容的文本。）")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise bilingual_error(
            f"{name}, but it is UTF-16: save it as UTF-8 or GB18030.",
            "（文件是 UTF-16 编码，请另存为 UTF-8 或 GB18030。）",
        )
    control = len(start) - len(start.translate(None, _CONTROL))
    if b"\0" in start or control > len(start) / 100:
        raise bilingual_error(
            f"{name}, but it is a binary file: expected plain text in UTF-8 or GB18030.",
            "（这是二进制文件，请给出 UTF-8 或 GB18030 编码的纯文本。）",
        )
    wrong = _first_wrong_byte(file, "utf-8")
    if wrong is None:
        return "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8"
    if _first_wrong_byte(file, "gb18030") is None and _is_chinese(start):
        return "gb18030"
    raise bilingual_error(
        f"{name}, but its bytes are neither UTF-8 (from byte {wrong:,} on) nor GB18030: save it as UTF-8.",
        f"（从字节偏移 {wrong:,} 处起不是有效的 UTF-8，也不是 GB18030 编码，请另存为 UTF-8。）",
    )


def _first_wrong_byte(file, codec) -> int | None:
    """The byte offset, from 0, at which decoding fails, or None."""
    decoder = codecs.getincrementaldecoder(codec)()
    done = kept = 0
    try:
        for block in _blocks(file):
            kept = len(decoder.getstate()[0])
            decoder.decode(block, final=not block)
            done += len(block)
    except UnicodeDecodeError as error:
        return done - kept + error.start
    return None


def _is_chinese(start) -> bool:
    """Whether bytes that decode as GB18030 are Chinese: nearly any bytes above 127 decode to some rare characters."""
    text = start.decode("gb18030", "ignore")
    foreign = [character for character in text if ord(character) > 127]
    simple = len("".join(foreign).encode("gb2312", "ignore")) / 2
    common = sum(character in _COMMON for character in foreign)
    return simple >= 0.95 * len(foreign) or common >= 0.1 * len(foreign)
