"""Classify and regress requests as serialized tf.Examples. The requests are those of TensorFlow Serving's tests."""

import json

import pytest
from tensorflow.core.example import example_pb2

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.rest import examples, json_text

HEAD = '{"examples": [{"names": '


def read(text):
    """For each example of a request, {feature: (kind, values)}."""
    found = []
    for serialized in examples.examples_of(json_text.parse(text.encode())):
        features = example_pb2.Example.FromString(serialized).features.feature
        found.append(
            {
                name: (kind := feature.WhichOneof("kind"), list(getattr(feature, kind).value) if kind else [])
                for name, feature in features.items()
            }
        )
    return found


def refusal(text):
    with pytest.raises(ServingError) as caught:
        read(text)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_features_are_bytes_floats_or_integers_by_their_first_value():
    first, second = read(
        """{"examples": [{"names": ["foo", "bar"], "ratings": [8.0, 9.0, NaN, Infinity], "age": 20},
                         {"names": ["baz", {"b64": "aGVsbG8="}], "ratings": 6.0, "intboolmix": [1, true, false]}]}"""
    )
    assert first["names"] == ("bytes_list", [b"foo", b"bar"])
    assert str(first["ratings"]) == "('float_list', [8.0, 9.0, nan, inf])"
    assert first["age"] == ("int64_list", [20])
    assert second["names"] == ("bytes_list", [b"baz", b"hello"])
    assert second["ratings"] == ("float_list", [6.0])
    assert second["intboolmix"] == ("int64_list", [1, 1, 0])


def test_the_context_is_part_of_each_example():
    found = read('{"context": {"query": "pizza"}, "examples": [{"a": 1}, {"a": 2, "query": "own"}]}')
    assert found == [
        {"query": ("bytes_list", [b"pizza"]), "a": ("int64_list", [1])},
        {"query": ("bytes_list", [b"own"]), "a": ("int64_list", [2])},
    ]


def test_empty_features_and_examples():
    assert read('{"examples": [{}, {"a": []}]}') == [{}, {"a": (None, [])}]


def test_the_last_of_two_equal_features_counts():
    assert read('{"examples": [{"a": 1, "a": 2.5}]}') == [{"a": ("float_list", [2.5])}]


@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1])
def test_integers_are_exact(number):
    assert read(json.dumps({"examples": [{"a": [number]}]})) == [{"a": ("int64_list", [number])}]


def test_numbers_beyond_float32_are_infinite():
    infinite = ("float_list", [float("inf")])
    assert read('{"examples": [{"a": 1e39, "b": [1e39], "c": 1e39, "d": 1.0}]}')[0]["a"] == infinite
    assert read('{"examples": [{"a": [1e39, 2.0, NaN]}]}')[0]["a"][1][0] == float("inf")
    # Integers beyond 64 bits are floats.
    assert read('{"examples": [{"a": [1.5, 1180591620717411303424]}]}') == [{"a": ("float_list", [1.5, 2.0**70])}]
    assert read('{"examples": [{"a": 1180591620717411303424, "b": NaN}]}')[0]["a"] == ("float_list", [2.0**70])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"signature_name": "a"}', "When method is classify, key 'examples' is expected and was not found"),
        ('{"examples": {"names": ["foo"]}}', "Expecting 'examples' value to be an list/array"),
        ('{"examples": []}', "'examples' value is an empty array"),
        ('{"context": [{"names": []}], "examples": [{}]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [[{"names": ["foo"]}]]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [1]}', "Example must be JSON object but got JSON Number"),
        (HEAD + "[10, null]}]}", "Feature: names has element with unexpected JSON type: Null"),
        (HEAD + "null}]}", "Feature: names has element with unexpected JSON type: Null"),
        (HEAD + "[10, 10.0]}]}", "Unexpected element type in feature: names expecting type: int64"),
        (HEAD + "[10.0, 10]}]}", "Unexpected element type in feature: names expecting type: float"),
        (HEAD + '["a", 10]}]}', "Unexpected element type in feature: names expecting type: bytes"),
        (HEAD + '[1.5, "a"]}]}', "Unexpected element type in feature: names expecting type: float"),
        (HEAD + "[1.5, true]}]}", "Unexpected element type in feature: names expecting type: float"),
        (HEAD + '[10, {"test": 10}]}]}', "Feature: names has element with unexpected JSON type: Object"),
        (HEAD + "[[10], 20]}]}", "Feature: names has element with unexpected JSON type: Array"),
        (HEAD + '{"b64": "a"}}]}', "Unable to base64 decode"),
        (HEAD + "[20, 18446744073709551603]}]}", "Feature: names has uint64_t element. Only int64_t is supported."),
    ],
)
def test_malformed_examples_are_refused(text, message):
    assert refusal(text).endswith(message)


def test_halves_of_surrogate_pairs_are_refused_in_names_and_values():
    for example in ('{"\\ud800": 1}', '{"a": "\\ud800"}'):
        assert "The surrogate pair in string is invalid." in refusal(f'{{"examples": [{example}]}}')
