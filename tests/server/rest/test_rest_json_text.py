"""JSON as TensorFlow Serving reads it; the messages are those of RapidJSON, its parser."""

import math

import pytest

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.rest import json_text


def refusal(body):
    with pytest.raises(ServingError) as caught:
        json_text.parse(body)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_an_object_is_parsed_to_pythons_values():
    body = b'{"a": [1, -2.5, 1e3], "b": {"c": "\xc3\xa4\\u00e4\\n"}, "d": true, "e": null, "f": -0}'
    assert json_text.parse(body) == {"a": [1, -2.5, 1000.0], "b": {"c": "ää\n"}, "d": True, "e": None, "f": 0}


def test_integers_of_64_bits_are_exact():
    parsed = json_text.parse(b'{"a": [9223372036854775807, -9223372036854775808, 18446744073709551615]}')
    assert parsed == {"a": [2**63 - 1, -(2**63), 2**64 - 1]}


def test_a_byte_order_mark_is_skipped():
    assert json_text.parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("token", "value"), [(b"Infinity", math.inf), (b"-Infinity", -math.inf), (b"Inf", math.inf), (b"-Inf", -math.inf)]
)
def test_infinity_is_a_number(token, value):
    assert json_text.parse(b'{"a": [1, %b], "b": "Infinity"}' % token) == {"a": [1, value], "b": "Infinity"}


@pytest.mark.parametrize("token", [b"NaN", b"-NaN"])
def test_nan_is_a_number(token):
    assert math.isnan(json_text.parse(b'{"a": %b}' % token)["a"])


def test_the_first_of_two_equal_keys_counts():
    assert json_text.parse(b'{"a": 1, "b": 2, "a": 3}') == {"a": 1, "b": 2}
    assert json_text.parse(b'{"a": 1, "\\u0061": 3}') == {"a": 1}
    assert json_text.parse(b'{"a": NaN, "b": 1, "b": 2}')["b"] == 1
    assert json_text.parse(b'{"a": [[1, 2], [{"b": 1, "b": [2]}]]}') == {"a": [[1, 2], [{"b": 1}]]}


def test_an_object_with_repeated_keys_can_be_told_from_others():
    value = json_text.parse(b'{"a": [{"b": 1, "c": 2, "b": 3}, {"b": 1}]}')["a"]
    assert isinstance(value[0], json_text.RepeatedKeys)
    assert value[0].last == {"b": 3, "c": 2}
    assert not isinstance(value[1], json_text.RepeatedKeys)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty. at offset: 0"),
        (b" \n", "The document is empty. at offset: 2"),
        (b"instances = [1, 2]", "Invalid value. at offset: 0"),
        (b'{"a": nul}', "Invalid value. at offset: 6"),
        (b'{"a": [1,]}', "Invalid value. at offset: 9"),
        (b"[1,", "Invalid value. at offset: 3"),
        (b"{'a': 1}", "Missing a name for object member. at offset: 1"),
        (b'{"a": 1,}', "Missing a name for object member. at offset: 8"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a": 1 "b": 2}', "Missing a comma or } after an object member. at offset: 8"),
        (b'{"a": {"]": 1} 2}', "Missing a comma or } after an object member. at offset: 15"),
        (b'{"a": [1 2]}', "Missing a comma or ] after an array element. at offset: 9"),
        (b'{"a": [01]}', "Missing a comma or ] after an array element. at offset: 8"),
        (b'{"a": "x}', "Missing a closing quotation mark in string. at offset: 6"),
        (b'{"a": "\\q"}', "Invalid escape character in string. at offset: 7"),
        (b'{"a": "\\u12x4"}', "Incorrect hex digit after \\u escape in string. at offset: 8"),
        (b'{"a": "\x01"}', "Invalid encoding in string. at offset: 7"),
        (b'{"a": "\xff"}', "Invalid encoding in string. at offset: 7"),
        (b'{"a": 1} x', "The document root must not be followed by other values. at offset: 9"),
        (b'{"\xc3\xa4": x}', "Invalid value. at offset: 7"),
    ],
)
def test_malformed_json_is_described_with_its_place(body, message):
    found = refusal(body)
    assert found.startswith("JSON Parse error: ")
    # The place of a malformed escape differs by a byte between versions of Python.
    assert found.split(" at offset")[0] == f"JSON Parse error: {message}".split(" at offset")[0]
    assert abs(int(found.split("offset: ")[1]) - int(message.split("offset: ")[1])) <= 1


@pytest.mark.parametrize("number", [b"1e400", b"-1e309", b"1" * 400, b"1" * 5000, b"1" * 400 + b".5"])
@pytest.mark.parametrize("rest", [b"", b', "b": NaN', b', "b": 1, "b": 2'])
def test_a_number_beyond_double_is_refused(number, rest):
    message = refusal(b'{"a": %b%b}' % (number, rest))
    assert message == "JSON Parse error: Number too big to be stored in double. at offset: 6"


def test_a_string_that_looks_like_a_large_number_is_accepted():
    assert json_text.parse(b'{"a": "1e400", "b": Infinity, "c": 1e-400}') == {"a": "1e400", "b": math.inf, "c": 0}


@pytest.mark.parametrize("body", [b"[1]", b"1", b"null", b'"a"', b"NaN"])
def test_a_document_that_is_no_object_is_refused(body):
    assert refusal(body) == f"JSON Value: {body.decode()} Is not object"


@pytest.mark.parametrize("depth", [900, 1100, 100_000])
def test_deep_nesting_is_parsed(depth):
    parsed = json_text.parse(b'{"deep": %b1%b, "b": [{"c": -0.5}, "x", {}, []]}' % (b"[" * depth, b"]" * depth))
    assert parsed["b"] == [{"c": -0.5}, "x", {}, []]
    value, levels = parsed["deep"], 0
    while isinstance(value, list):
        value, levels = value[0], levels + 1
    assert (value, levels) == (1, depth)


def test_deep_objects_are_parsed():
    assert json_text.parse(b'{"a": ' + b'{"b": ' * 5000 + b"1" + b"}" * 5001 + b"  ")["a"]


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (b"", "Invalid value."),
        (b"]" * 5000, "Missing a comma or } after an object member."),
        (b"]" * 4999 + b"}", "Missing a comma or ] after an array element."),
        (b"]" * 5000 + b"}]", "The document root must not be followed by other values."),
        (b'"x', "Missing a closing quotation mark in string."),
        (b"1e400", "Number too big to be stored in double."),
        (b"{x", "Missing a name for object member."),
        (b'{"x"}', "Missing a colon after a name of object member."),
    ],
)
def test_malformed_deep_documents_are_described_too(tail, message):
    assert f"JSON Parse error: {message} at offset: " in refusal(b'{"a": ' + b"[" * 5000 + tail)


def test_a_deep_document_that_is_large_is_refused():
    body = b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b', "b": "' + b"x" * json_text.MAX_DEEP_BYTES + b'"}'
    assert "must not be nested deeply" in refusal(body)


def test_more_lists_and_objects_than_memory_has_room_for_are_refused(monkeypatch):
    monkeypatch.setattr(json_text, "MAX_LISTS", 30)
    monkeypatch.setattr(json_text, "MAX_OBJECTS", 20)
    assert len(json_text.parse(b'{"a": [' + b"[]," * 28 + b"[]]}")["a"]) == 29
    for items in (b"[]," * 30, b"{}," * 20):
        assert "more than 30 lists or 20 objects" in refusal(b'{"a": [' + items + b"1]}")


@pytest.mark.parametrize(
    ("body", "has"),
    [
        (b'{"instances": [1.0, 2]}', False),
        (b'{"inputs": [1.0, 2], "null point": 1}', True),
        (b'{"inputs": [1.0, true]}', True),
        (b'{"a": [false]}', True),
        (b"[" + b"u," * 200 + b"true]", True),
        (b'"true', True),
        (b"tru", False),
    ],
)
def test_words_are_found(body, has):
    assert json_text.has_words(body) is has


def test_values_are_shown_as_json_and_cut():
    assert json_text.shown({"a": [1, 2.0, "x", None, True, {}], "b": math.nan}) == (
        '{"a": [1, 2.0, "x", null, true, {}], "b": NaN}'
    )
    assert json_text.shown(2**70) == "1.1805916207174113e+21"
    for long in ("x" * 10**6, list(range(10**6)), {"k" * 10**6: 1}, [["x" * 300] * 5] * 5):
        assert len(json_text.shown(long)) <= 123
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert json_text.shown(deep) == "[" * 120 + "..."
