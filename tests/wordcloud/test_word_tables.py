"""Tables of words and weights come back as they were written, and bad lines are named."""

import pytest

from tf2cases.errors import UsageError
from tf2cases.wordcloud import tables

WEIGHTS = {"茶园": 12, 'say "tea", twice': 0.1 + 0.2, "tree": 1e-9}


def test_a_table_comes_back_with_every_digit(tmp_path):
    path = str(tmp_path / "words.csv")
    tables.write_table(path, WEIGHTS)
    assert open(path, "rb").read().startswith(b"\xef\xbb\xbfword,weight\n")
    assert list(tables.read_table(path).items()) == list(WEIGHTS.items())


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("header", ["", "Word, Weight\r\n"])
def test_tables_of_spreadsheet_programs_are_read(codec, header, text_file):
    content = header + "茶馆,7\r\n\r\n茶园, 12.5\r\n"
    assert list(tables.read_table(text_file(content.encode(codec))).items()) == [("茶园", 12.5), ("茶馆", 7.0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "tea,3\nwater,-1\n",
            r"line 2 has the weight '-1': expected word,weight with a weight above 0, each word once",
        ),
        ("tea,many\n", r"line 1 has the weight 'many'"),
        ("tea,0\n", r"line 1 has the weight '0'"),
        ("tea,nan\n", r"line 1 has the weight 'nan'"),
        ("tea,inf\n", r"line 1 has the weight 'inf'"),
        ("tea,\n", r"line 1 has the weight ''"),
        ("word,weight\ntea\n", r"line 2 has 1 columns"),
        ("tea,3,4\n", r"line 1 has 3 columns"),
        (",3\n", r"line 1 has '' as its word"),
        ('"a\nb",3\n', r"line 2 has 'a\\nb' as its word"),
        ("tea,3\nwater,1\ntea,2\n", r"line 3 repeats 'tea' from line 1"),
        ("word,weight\n", r"has no words: expected lines like word,3\.5\. （词频表里没有词"),
        ('"tea' + "x" * 200_000, r"is not CSV"),
    ],
)
def test_bad_tables_are_refused_with_their_line(content, message, text_file):
    with pytest.raises(UsageError, match=rf"--frequencies is '.*', but .*{message}"):
        tables.read_table(text_file(content))


def test_a_table_too_large_is_refused(text_file, monkeypatch):
    monkeypatch.setattr(tables, "MAX_BYTES", 5)
    with pytest.raises(UsageError, match=r"which has 6 bytes, but must have at most 5"):
        tables.read_table(text_file("tea,33"))
