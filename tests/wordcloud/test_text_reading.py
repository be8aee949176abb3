"""Texts in the accepted encodings come out as they are, in pieces; everything else is refused in words."""

import io
import os
import threading

import pytest

from tf2cases.errors import UsageError
from tf2cases.wordcloud import reading

CHINESE = "小城北边有一座茶园，茶园后面是青山。\n春天到了，春雨落在茶树上。\n" * 40
TRADITIONAL = "這裡的茶園後面是青山，我們來到這裡的時候，他們還沒有開始採茶。\n" * 40


def read(path):
    with reading.opened(path) as text:
        return text.encoding, "".join(text.chunks())


@pytest.mark.parametrize(
    ("codec", "name"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8 with BOM"), ("gb18030", "GB18030")]
)
@pytest.mark.parametrize("content", [CHINESE, TRADITIONAL, CHINESE + "𠮷"], ids=["simplified", "traditional", "rare"])
def test_the_encoding_is_recognised_and_the_text_comes_out_whole(codec, name, content, text_file):
    assert read(text_file(content.encode(codec))) == (name, content)


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_characters_that_lie_across_blocks_are_read(codec, text_file, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 7)
    assert read(text_file(CHINESE.encode(codec)))[1] == CHINESE


def test_pieces_end_between_words_and_are_small(text_file, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 64)
    words = [f"word{i}" for i in range(500)]
    with reading.opened(text_file(" ".join(words))) as text:
        chunks = list(text.chunks())
    assert [word for chunk in chunks for word in chunk.split()] == words
    assert len(chunks) > 50
    assert max(map(len, chunks)) <= 128


def test_a_text_without_any_break_still_comes_in_pieces(text_file, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 64)
    with reading.opened(text_file("x" * 10_000)) as text:
        chunks = list(text.chunks())
    assert "".join(chunks) == "x" * 10_000
    assert max(map(len, chunks)) <= 128


def test_progress_adds_up_to_the_size(text_file):
    told = []
    with reading.opened(text_file(CHINESE * 100)) as text:
        for _ in text.chunks(told.append):
            pass
    assert sum(told) == text.size == len((CHINESE * 100).encode())
    assert len(told) > 2


def test_a_text_can_be_read_twice(text_file):
    with reading.opened(text_file(CHINESE)) as text:
        assert "".join(text.chunks()) == "".join(text.chunks()) == text.all()
        assert CHINESE.startswith(text.sample()[:10])


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CHINESE.encode("gb18030"))))
    assert read("-") == ("GB18030", CHINESE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_which_cannot_be_read_twice(tmp_path):
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: open(path, "wb").write(CHINESE.encode()))
    writer.start()
    assert read(path) == ("UTF-8", CHINESE)
    writer.join()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty: expected some words\. （文本为空"),
        (b" \n\t\r\n", r"is empty"),
        (b"\xef\xbb\xbf", r"is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", r"is a binary file: expected plain text, best in UTF-8\. （这是二进制文件"),
        (bytes(range(1, 32)) * 20, r"is a binary file"),
        (
            "Müller aß fünf Äpfel für Zoë. ".encode("latin-1") * 20,
            r"are not UTF-8 \(from byte 1 on\), and no other encoding is certain: .* `iconv -f WINDOWS-1252 -t UTF-8`",
        ),
        (CHINESE.encode()[:-2] + b" end", r"are not UTF-8 \(from byte [\d,]+ on\), and no"),
        (
            b"word " * 50_000 + b"\xff",
            r"are not UTF-8 \(from byte 250,000 on\), and no other .* save it as UTF-8, or .*（从字节偏移",
        ),
        (CHINESE.encode("utf-16")[:-1] + b"\xd8", r"are not UTF-16 \(from byte [\d,]+ on\), and no"),
    ],
    ids=["empty", "blank", "mark", "png", "control", "latin1", "cut", "late", "utf16"],
)
def test_what_is_no_text_is_refused(content, message, text_file):
    with pytest.raises(UsageError, match=message):
        read(text_file(content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--text is '.*/no\.txt', but it cannot be read \(No such file"):
        read(str(tmp_path / "no.txt"))
    with pytest.raises(UsageError, match=r"cannot be read \(Is a directory\): expected a text file, or -"):
        read(str(tmp_path))
