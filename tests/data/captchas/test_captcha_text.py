"""Charsets: text to classes and back, and which characters are refused."""

import numpy as np
import pytest

from tf2cases.data.captchas import text
from tf2cases.data.captchas.text import Charset


@pytest.mark.parametrize(
    ("name", "size", "first", "last"),
    [("digits", 10, "0", "9"), ("lower", 26, "a", "z"), ("upper", 26, "A", "Z"), ("alnum", 62, "0", "Z")],
)
def test_named_charsets(name, size, first, last):
    charset = Charset(name)
    assert (len(charset), charset.characters[0], charset.characters[-1]) == (size, first, last)
    assert charset.characters == Charset(charset.characters).characters


def test_encodes_by_position():
    np.testing.assert_array_equal(Charset("digits").encode("0942", 4), np.array([0, 9, 4, 2], np.uint8))
    np.testing.assert_array_equal(Charset("xyzé").encode("éx", 2), [3, 0])
    assert Charset("digits").encode("0", 1).dtype == np.uint8


@pytest.mark.parametrize("name", ["digits", "alnum", "éßж7"])
def test_round_trip(name):
    charset = Charset(name)
    labels = ["".join(np.random.RandomState(i).choice(list(charset.characters), 5)) for i in range(20)]
    assert charset.decode(np.stack([charset.encode(label, 5) for label in labels])) == labels


def test_decode_refuses_a_class_outside():
    with pytest.raises(ValueError, match=r"a class is 3, but must be from 0 to 2"):
        Charset("abc").decode([0, 3])


def test_both_cases():
    assert Charset("alnum").has_both_cases
    assert not Charset("digits").has_both_cases
    assert not Charset("aBc").has_both_cases


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(["12", "90"], "digits"), (["ab"], "lower"), (["AB"], "upper"), (["aB", "1"], "alnum"), (["é1", "b"], "1bé")],
)
def test_infers_the_smallest_charset(labels, expected):
    assert text.infer(labels).characters == Charset(expected).characters


@pytest.mark.parametrize(
    ("characters", "message"),
    [
        ("0120", r"^charset='0120': the character '0' appears twice, but must be one of digits, lower, upper, alnum"),
        ("ab-", r"the character '-' ends a label or is not allowed in file names"),
        ("ab.", r"the character '\.' ends a label"),
        ("a/b", r"the character '/' ends a label"),
        ("a\\b", r"ends a label or is not allowed"),
        ("a:b", r"ends a label or is not allowed"),
        ("a b", r"the character ' ' is white space or a control character"),
        ("a\nb", r"is white space or a control character"),
        ("a\0b", r"is white space or a control character"),
        ("a\u200bb", r"is white space or a control character"),
        ("a\u0301", r"is a combining character or not in normal form NFC"),
        ("a\u212b", r"is a combining character or not in normal form NFC"),  # the Angstrom sign becomes a letter in NFC
        ("", r"^charset has 0 characters"),
        ("".join(map(chr, range(0x4E00, 0x4E00 + 257))), r"^charset has 257 characters.*at most 256"),
    ],
)
def test_refuses_a_charset(characters, message):
    with pytest.raises(ValueError, match=message):
        Charset(characters)


def test_refuses_a_label():
    with pytest.raises(ValueError, match=r"^the label '12a4' has the character 'a', but .* in 0123456789"):
        Charset("digits").encode("12a4", 4)
    with pytest.raises(ValueError, match=r"^the label '123' has 3 characters, but must have 4"):
        Charset("digits").encode("123", 4)
    with pytest.raises(ValueError, match=r"^the label '1 2' has the character ' ', which is white space"):
        text.check_label("1 2")


@pytest.mark.parametrize("length", [0, -1, 41])
def test_refuses_a_length(length):
    with pytest.raises(ValueError, match=rf"^length is {length}, but must be from 1 to 40"):
        text.check_length(length)
