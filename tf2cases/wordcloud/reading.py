"""Text files of any length, read in pieces, in Unicode or in another encoding that is recognised for certain."""

import codecs
import contextlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

from tf2cases import files
from tf2cases.wordcloud import encodings, words
from tf2cases.wordcloud.messages import bilingual_error

MAX_BYTES = 1 << 32  # of a text
BLOCK = 1 << 17  # bytes read at once; limits the memory for segmenting a text without line breaks
_SAMPLE = 1 << 20  # bytes from which binary files and encodings are detected
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))
_UP_TO_A_BREAK = re.compile(r".*[\s\u200b，。、；：！？…—“”（）《》,;!?()\"]", re.DOTALL)


class Text:
    """An opened text.

    Attributes:
      name: the beginning of messages about it: "--text is PATH".
      encoding: its name: "UTF-8", "UTF-8 with BOM", "GB18030" or another of `encodings.NAMES`.
      size: in bytes.
    """

    def __init__(self, file: IO[bytes], name: str):
        self._file = file
        self.name = name
        self.size = file.seek(0, os.SEEK_END)
        self._codec = _codec_of(file, name)
        self.encoding = encodings.NAMES[self._codec]

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
      UsageError: it is missing, unreadable, empty, a binary file, or in an encoding that is not certain.
    """
    name = f"{flag} is {path!r}"
    try:
        if path != "-" and not stat.S_ISFIFO(os.stat(path).st_mode):
            files.check_regular(path)
        source = sys.stdin.buffer if path == "-" else open(path, "rb")
    except OSError as error:
        raise bilingual_error(
            f"{name}, but it cannot be read ({files.reason(error)}): expected a text file, or - for standard input.",
            "（无法读取该文件，请给出一个文本文件，或用 - 表示标准输入。）",
        ) from error
    with contextlib.ExitStack() as stack:
        if path != "-":
            stack.enter_context(source)
        if path == "-" or not source.seekable():
            kept = stack.enter_context(tempfile.TemporaryFile())
            while kept.tell() <= MAX_BYTES and (block := source.read(BLOCK)):
                kept.write(block)
            source = kept
        if source.seek(0, os.SEEK_END) > MAX_BYTES:
            raise bilingual_error(
                f"{name}, but it has more than {MAX_BYTES // 2**30} GiB: expected a shorter text.",
                f"（文本超过 {MAX_BYTES // 2**30} GiB，请给出较短的文本。）",
            )
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
    codec = encodings.of_bom(start)
    control = len(start) - len(start.translate(None, _CONTROL))
    if codec in (None, "utf-8-sig") and (b"\0" in start or control > len(start) / 100):
        codec = encodings.with_zeros(start) if b"\0" in start else None
        if codec is None:
            raise bilingual_error(
                f"{name}, but it is a binary file: expected plain text, best in UTF-8.",
                "（这是二进制文件，请给出纯文本，最好是 UTF-8 编码。）",
            )
    codec = codec or encodings.with_escapes(start) or "utf-8"
    wrong = _first_wrong_byte(file, codec)
    if wrong is None:
        return codec
    other = encodings.legacy(start) if codec == "utf-8" else None
    if other and _first_wrong_byte(file, other) is None:
        return other
    shown = encodings.NAMES[codec]
    raise bilingual_error(
        f"{name}, but its bytes are not {shown} (from byte {wrong:,} on), and no other encoding is certain: save it as "
        "UTF-8, or convert it, for example with `iconv -f WINDOWS-1252 -t UTF-8`.",
        f"（从字节偏移 {wrong:,} 处起不是有效的 {shown}，也无法确定是哪种编码，请另存为 UTF-8，"
        "或用 iconv 等工具转换编码。）",
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
