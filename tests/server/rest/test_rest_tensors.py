"""Inputs and outputs of predict requests as JSON. The examples without comment are those of TensorFlow Serving's
documentation of its REST API, and its messages."""

import json
import math

import numpy as np
import pytest
from fake_core import DTYPES, FLOAT, STRING, tensor

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.rest import json_text, tensors

FEATURES = {"tag": STRING, "signal": FLOAT, "sensor": FLOAT}


def read(body, specs, signature=""):
    """The inputs of a request's text, and whether it has rows."""
    body = body.encode() if isinstance(body, str) else body
    specs = {"x": DTYPES[specs]} if isinstance(specs, str) else specs
    return tensors.inputs_of(json_text.parse(body), signature, specs, json_text.has_words(body))


def value(body, dtype):
    arrays, _ = read(body, dtype)
    assert arrays["x"].dtype == DTYPES[dtype].dtype
    return arrays["x"]


def refusal(body, specs, code=Code.INVALID_ARGUMENT):
    with pytest.raises(ServingError) as caught:
        read(body, specs)
    assert caught.value.code is code
    return caught.value.message


def test_rows_of_one_input_are_its_values():
    arrays, rows = read('{"instances": ["foo", "bar", "baz"]}', "string")
    assert rows
    assert arrays["x"].tolist() == [b"foo", b"bar", b"baz"]
    pairs = value('{"instances": [[[1, 2]], [[3, 4]]]}', "float")
    np.testing.assert_array_equal(pairs, np.array([[[1, 2]], [[3, 4]]], np.float32))


@pytest.mark.parametrize("form", ["rows", "columns"])
def test_several_inputs_are_objects_in_either_form(form):
    bodies = {
        "rows": """{"instances": [{"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
                                  {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]}]}""",
        "columns": """{"inputs": {"tag": ["foo", "bar"], "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
                                  "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]]}}""",
    }
    arrays, rows = read(bodies[form], FEATURES)
    assert rows == (form == "rows")
    assert arrays["tag"].tolist() == [b"foo", b"bar"]
    assert arrays["signal"].tolist() == [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]]
    assert arrays["sensor"].tolist() == [[[1, 2], [3, 4]], [[4, 5], [6, 8]]]
    assert arrays["signal"].dtype == np.float32


def test_columns_of_one_input_need_no_name_and_may_be_scalars():
    assert value('{"inputs": [[1, 2]]}', "float").tolist() == [[1, 2]]
    assert value('{"inputs": {"x": [[1, 2]]}}', "float").tolist() == [[1, 2]]
    assert value('{"inputs": 2.5}', "float").shape == ()
    assert value('{"inputs": "a"}', "string")[()] == b"a"
    assert value('{"inputs": {"b64": "aGVsbG8="}}', "string")[()] == b"hello"


def test_base64_objects_are_bytes():
    assert value('{"instances": [{"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}]}', "string").tolist() == [b"hello", b"world"]
    lists = value('{"instances": [[{"b64": "aGVsbG8="}], [{"b64": "d29ybGQ="}]]}', "string")
    assert lists.tolist() == [[b"hello"], [b"world"]]
    assert value('{"instances": [{"x": {"b64": "//4A"}}]}', "string").tolist() == [b"\xff\xfe\x00"]


def test_base64_may_lack_padding_and_have_white_space():
    for text in ("aGVsbG8", "aGVs\\nbG8=", " aGVs bG8 ", "aGVsbG8=\\n\\n\\n\\n"):
        assert value(f'{{"inputs": {{"b64": "{text}"}}}}', "string")[()] == b"hello"


@pytest.mark.parametrize("text", ["aGVsbG8==", "a", "a-b_", "häää", "aGV%bG8=", "===="])
def test_wrong_base64_is_refused(text):
    assert refusal(f'{{"inputs": [{{"b64": "{text}"}}]}}', "string") == "Unable to base64 decode"


def test_base64_objects_have_no_other_keys_and_hold_strings():
    assert "not formatted correctly for base64 data" in refusal('{"inputs": [{"b64": "YQ==", "c": 1}]}', "string")
    assert "not formatted correctly for base64 data" in refusal('{"inputs": [{"b64": 1}]}', "string")


def test_text_is_utf8():
    assert value('{"inputs": ["ä\\u00e4", "\\ud83d\\ude00"]}', "string").tolist() == [b"\xc3\xa4" * 2, "😀".encode()]


def test_half_a_surrogate_pair_is_refused():
    message = refusal('{"inputs": ["\\ud83d"]}', "string")
    assert message.startswith("JSON Parse error: The surrogate pair in string is invalid.")


@pytest.mark.parametrize(
    ("dtype", "numbers"),
    [
        ("int8", [-128, 127]),
        ("uint8", [0, 255]),
        ("int16", [-32768, 32767]),
        ("int32", [-(2**31), 2**31 - 1]),
        ("uint32", [0, 2**32 - 1]),
        ("int64", [-(2**63), 2**63 - 1]),
        ("uint64", [0, 2**64 - 1]),
    ],
)
def test_integers_are_exact_up_to_the_limits_of_their_type(dtype, numbers):
    assert value(json.dumps({"inputs": numbers}), dtype).tolist() == numbers
    for wrong in (numbers[0] - 1, numbers[1] + 1):
        message = refusal(json.dumps({"inputs": [1, wrong]}), dtype)
        assert message.endswith(f"Type: Number is not of expected type: {dtype}")


def test_integers_are_accepted_for_floats():
    mixed = value('{"instances": [1, 2.0, 3, 4, 5.003, 0.007, 0.0]}', "float")
    np.testing.assert_array_equal(mixed, np.array([1, 2, 3, 4, 5.003, 0.007, 0], np.float32))
    assert value('{"instances": [1.0, 2, 0.662]}', "double").tolist() == [1.0, 2.0, 0.662]
    assert value('{"instances": [1, 18446744073709551616, -1]}', "double").tolist() == [1.0, 2.0**64, -1.0]


def test_floats_are_refused_for_integers():
    message = refusal('{"instances": [1, 2.0]}', "int64")
    assert message == (
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: 2.0 Type: Number is "
        "not of expected type: int64"
    )
    assert "JSON Value: 1e+30 Type: Number" in refusal('{"inputs": [1, 1e30]}', "int64")


def test_integers_are_rounded_to_float32_as_doubles_are():
    # 2^24 + 1 is halfway between two floats; the second is just above halfway, which only the double has lost.
    numbers = [2**24 + 1, 2**60 + 2**36 + 1]
    assert value(json.dumps({"inputs": numbers}), "float").tolist() == [2.0**24, 2.0**60]


def test_numbers_beyond_float32_are_infinite():
    assert value('{"instances": [1e39, -1e39, 3.5e38, 3.4e38]}', "float").tolist()[:3] == [
        math.inf,
        -math.inf,
        math.inf,
    ]
    assert value('{"inputs": [NaN, 1e39]}', "float")[1] == math.inf
    assert value('{"inputs": 1e39}', "double")[()] == 1e39


@pytest.mark.parametrize("form", ["instances", "inputs"])
def test_nan_and_infinity_are_floats(form):
    found = value(f'{{"{form}": [NaN, Infinity, 1, -Infinity]}}', "float")
    np.testing.assert_array_equal(found, np.array([np.nan, np.inf, 1, -np.inf], np.float32))


@pytest.mark.parametrize(
    ("text", "dtype", "shown"),
    [
        ("true", "float", "true Type: True"),
        ("false", "double", "false Type: False"),
        ("null", "float", "null Type: Null"),
        ('"a"', "float", '"a" Type: String'),
        ('"1.5"', "float", '"1.5" Type: String'),
        ('{"b64": "YQ=="}', "float", '{"b64": "YQ=="} Type: Object'),
        ("true", "int32", "true Type: True"),
        ("null", "int64", "null Type: Null"),
        ("1", "bool", "1 Type: Number"),
        ("1", "string", "1 Type: Number"),
        ("true", "string", "true Type: True"),
        ("NaN", "int64", "NaN Type: Number"),
    ],
)
@pytest.mark.parametrize("place", ["first", "alone", "last"])
def test_values_of_another_type_are_refused_and_named(text, dtype, shown, place):
    good = {"bool": "true", "string": '"s"'}.get(dtype, "1")
    body = {"first": f"[{text}, {good}]", "last": f"[{good}, {text}]", "alone": text}[place]
    assert refusal(f'{{"inputs": {body}}}', dtype) == f"JSON Value: {shown} is not of expected type: {dtype}"


def test_booleans_are_booleans():
    assert value('{"instances": [true, false]}', "bool").tolist() == [True, False]
    assert value('{"instances": [[true], [false]]}', "bool").shape == (2, 1)


def test_words_in_other_places_do_no_harm():
    arrays, _ = read('{"false": true, "null": null, "instances": [[1, 2.5]]}', "float")
    assert arrays["x"].tolist() == [[1, 2.5]]


@pytest.mark.parametrize("dtype", ["half", "uint16"])
def test_types_that_json_cannot_hold_are_not_implemented(dtype):
    message = f"Conversion of JSON Value: 1 to type: {dtype}"
    assert refusal('{"inputs": [1]}', dtype, Code.UNIMPLEMENTED) == message
    assert refusal('{"instances": [1]}', dtype).endswith(f"Error: UNIMPLEMENTED: {message}")


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ("[[1,2],[3,4],[5,6,7]]", "Expecting tensor size: 2 but got: 3"),
        ("[[1,2],[3,4],[[5,6]]]", "Expecting shape [2] but got: [1,2]"),
        ("[1, [1]]", "Expecting shape [] but got: [1]"),
        ("[[[1,2],3]]", "JSON Value: 3 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ("[[[1,2],[3,[4]]]]", "Encountered list at unexpected level: 2 expected < 2"),
        ("[[[1,2],[3]]]", "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ],
)
@pytest.mark.parametrize("dtype", ["float", "int32", "string"])
def test_ragged_rows_are_refused(instances, message, dtype):
    if dtype == "string":
        instances = "".join(f'"{c}"' if c.isdigit() else c for c in instances)
        message = message.replace("JSON Value: 3 ", 'JSON Value: "3" ')
    found = refusal(f'{{"instances": {instances}}}', dtype)
    assert found.endswith(f"of 'instances' list. Error: INVALID_ARGUMENT: {message}")


def test_ragged_columns_are_refused():
    found = refusal('{"inputs": [[1, 2], [3]]}', "float")
    assert found == "Encountered list at unexpected size: 1 at level: 1 expected size: 2"


def test_empty_lists_are_empty_tensors_within_rows_and_columns():
    assert value('{"inputs": []}', "float").shape == (0,)
    assert value('{"inputs": [[], []]}', "int64").shape == (2, 0)
    assert value('{"inputs": []}', "string").shape == (0,)
    assert value('{"instances": [[], []]}', "string").shape == (2, 0)
    assert refusal('{"instances": []}', "float") == """JSON Value: {"instances": []} No values in 'instances' array"""


def test_deep_lists_are_refused():
    for form, most in (("instances", 63), ("inputs", 62)):
        for depth in (most + 1, 900, 50_000):
            found = refusal(f'{{"{form}": {"[" * depth}1{"]" * depth}}}', "float")
            assert "nested more than 62 deep" in found
        assert value(f'{{"{form}": {"[" * most}1{"]" * most}}}', "float").ndim == most


def test_both_forms_together_and_neither_are_refused():
    both = '{"instances": [1], "inputs": [1]}'
    assert "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist" in refusal(
        both, "float"
    )
    assert refusal('{"instance": [1]}', "float") == "Missing 'inputs' or 'instances' key"
    assert "Expecting 'instances' to be an list/array" in refusal('{"instances": 1}', "float")
    assert "Expecting 'instances' to be an list/array" in refusal('{"instances": {"x": [1]}}', "float")


def test_missing_and_further_inputs():
    two = {"a": FLOAT, "b": FLOAT}
    missing = refusal('{"instances": [{"a": 1}]}', two)
    assert missing == (
        """Failed to process element: 0 of 'instances' list. JSON object: {"a": 1} keys must be equal to: a,b"""
    )
    further = refusal('{"instances": [{"a": 1, "b": 2, "c": 3}]}', two)
    assert further == (
        "Failed to process element: 0 key: c of 'instances' list. Error: INVALID_ARGUMENT: "
        "JSON object: does not have named input: c"
    )
    assert refusal('{"instances": [{}]}', "float").endswith("JSON object: {} keys must be equal to: x")
    assert refusal('{"inputs": {"a": 1}}', two) == "Missing named input: b in 'inputs' object."
    # The column form takes what it needs.
    assert read('{"inputs": {"a": 1, "b": 2, "c": 3}}', two)[0].keys() == {"a", "b"}


def test_plain_lists_are_refused_for_several_inputs():
    two = {"a": FLOAT, "b": FLOAT}
    assert refusal('{"instances": [1, 2]}', two).startswith("instances is a plain list, but expecting list of objects")
    assert refusal('{"inputs": [1, 2]}', two).startswith("inputs is a plain value/list, but expecting an object")


def test_objects_and_lists_are_not_mixed():
    mixed = '{"instances": [{"x": [1]}, [1, 20, 30]]}'
    assert refusal(mixed, "float") == "Expecting object but got list at item 1 of input list"
    mixed = '{"instances": [["baz", "bar"], {"x": ["baz", "bat"]}]}'
    assert refusal(mixed, "string") == "Expecting value/list but got object at item 1 of input list"


def test_rows_with_repeated_names_are_refused():
    assert "keys must be equal to: x" in refusal('{"instances": [{"x": 1, "x": 2}]}', "float")
    assert read('{"inputs": {"x": [1], "x": [2]}}', "float")[0]["x"].tolist() == [1]
    assert read('{"instances": [1], "instances": [2]}', "float")[0]["x"].tolist() == [1]


def test_a_signature_without_inputs_is_refused():
    assert refusal('{"instances": [1]}', {}) == "Failed to get input map for signature: DEFAULT"


def answer(text):
    return json.loads(text)


def test_one_output_is_answered_without_its_name():
    array = np.arange(12, dtype=np.int32).reshape(2, 3, 2)
    assert answer(tensors.predictions({"y": array})) == {"predictions": array.tolist()}
    assert answer(tensors.columns({"y": array})) == {"outputs": array.tolist()}
    assert answer(tensors.columns({"y": np.float32(3.5).reshape(())})) == {"outputs": 3.5}


def test_several_outputs_are_objects_with_binary_strings_as_base64():
    # The expected text is in TensorFlow Serving's tests.
    outputs = {
        "double_scalar_tensor": np.array([8.0, 9.0]),
        "float_tensor": np.array([[1], [2]], np.float32),
        "int_tensor": np.array([[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]], np.int32),
        "str_tensor": np.array([[b"foo", b"bar"], [b"baz", b"bat"]], object),
        "str_tensor_bytes": np.array([[b"hello", b"world"], [b"tf", b"serving"]], object),
    }
    assert answer(tensors.predictions(outputs)) == {
        "predictions": [
            {
                "double_scalar_tensor": 8.0,
                "float_tensor": [1.0],
                "int_tensor": [[1, 2], [3, 4], [5, 6]],
                "str_tensor": ["foo", "bar"],
                "str_tensor_bytes": [{"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}],
            },
            {
                "double_scalar_tensor": 9.0,
                "float_tensor": [2.0],
                "int_tensor": [[7, 8], [9, 0], [1, 2]],
                "str_tensor": ["baz", "bat"],
                "str_tensor_bytes": [{"b64": "dGY="}, {"b64": "c2VydmluZw=="}],
            },
        ]
    }
    assert answer(tensors.columns(outputs)) == {
        "outputs": {
            "double_scalar_tensor": [8.0, 9.0],
            "float_tensor": [[1.0], [2.0]],
            "int_tensor": [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]],
            "str_tensor": [["foo", "bar"], ["baz", "bat"]],
            "str_tensor_bytes": [
                [{"b64": "aGVsbG8="}, {"b64": "d29ybGQ="}],
                [{"b64": "dGY="}, {"b64": "c2VydmluZw=="}],
            ],
        }
    }


def test_text_that_is_not_utf8_is_answered_as_valid_json():
    assert answer(tensors.predictions({"y": np.array([b"a\xff"], object)})) == {
        "predictions": ["a\N{REPLACEMENT CHARACTER}"]
    }


@pytest.mark.parametrize(
    ("instances", "dtype"),
    [
        ([1, 2, 3, 4, 5, 6, 7], "int32"),
        ([1, 2, 3, 4, 5.5, 6, 7], "float"),
        ([[1, 2], [3, 4], [5, 6.5]], "double"),
        ([[[1], [2]], [[3], [4]], [[5], [6]]], "int8"),
        ([[1, 2, 3, 4, 5, 6, 7]], "float"),
        ([2**63, 1, 2, 3, 4, 5, 2**64 - 1], "uint64"),
        ([2**63, 1, 2, 3, 4, 5, -1], "float"),
        ([[True, False], [False, True], [True, True]], "bool"),
    ],
)
def test_lists_that_are_converted_in_parts_give_the_same(monkeypatch, instances, dtype):
    monkeypatch.setattr(tensors, "_PART", 3)
    found = value(json.dumps({"instances": instances}), dtype)
    np.testing.assert_array_equal(found, np.array(instances, DTYPES[dtype].dtype))
    written = json.loads(tensors.predictions({"x": found}))["predictions"]
    np.testing.assert_array_equal(np.array(written, found.dtype), found)


@pytest.mark.parametrize("instances", [[[1, 2], [3, 4], [5, 6], [7]], [1, 2, 3, 4, 5, [6]], [[1, 2], [3, 4], 5, 6]])
def test_ragged_lists_that_are_converted_in_parts_are_refused_in_the_same_words(monkeypatch, instances):
    whole = refusal(json.dumps({"instances": instances}), "float")
    monkeypatch.setattr(tensors, "_PART", 3)
    assert refusal(json.dumps({"instances": instances}), "float") == whole


def test_float32_is_written_with_the_fewest_digits_that_give_it_back():
    numbers = [0.1, 0.2, 3.4e38, 1e-45, 16777216.0, 9e6, 3e-05, 555557.5, 1 / 3, -0.0]
    array = np.array(numbers, np.float32)
    text = tensors.predictions({"y": array}).decode()
    assert "0.1," in text
    assert "0.100000" not in text
    assert "0.33333334" in text
    assert np.array(answer(text)["predictions"]).astype(np.float32).tobytes() == array.tobytes()
    # Whole numbers are written as floats, so that clients see the type.
    assert "16777216.0" in text


def test_random_floats_come_back_exactly():
    bits = np.random.default_rng(0).integers(0, 2**32, 4000, np.uint32).view(np.float32)
    for array in (bits, bits[np.isfinite(bits)]):
        back = np.array(answer(tensors.predictions({"y": array}))["predictions"]).astype(np.float32)
        np.testing.assert_array_equal(back, array)


def test_numbers_that_are_not_finite_are_bare_words():
    array = np.array([[np.nan, np.inf], [0.1, -np.inf]], np.float32)
    assert tensors.predictions({"y": array}).split() == b'{ "predictions": [[NaN,Infinity],[0.1,-Infinity]] }'.split()
    text = tensors.predictions({"y": array, "z": np.array([1, 2], np.uint64), "s": np.array([b"a", b"b"], object)})
    assert text.split() == (
        b'{ "predictions": [{"y":[NaN,Infinity],"z":1,"s":"a"},{"y":[0.1,-Infinity],"z":2,"s":"b"}] }'.split()
    )
    assert tensors.columns({"y": np.array(np.nan)}).split() == b'{ "outputs": NaN }'.split()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_integers_are_written_exactly(dtype):
    limits = np.iinfo(dtype)
    array = np.array([limits.min, limits.max], dtype)
    assert answer(tensors.predictions({"y": array}))["predictions"] == [int(limits.min), int(limits.max)]
    rows = answer(tensors.predictions({"a": array, "b": array.astype(bool)}))["predictions"]
    assert rows[1] == {"a": int(limits.max), "b": True}


@pytest.mark.parametrize(("dtype", "name"), [("float16", "half"), ("uint16", "uint16"), ("complex64", "complex64")])
def test_outputs_that_json_cannot_hold_are_refused(dtype, name):
    with pytest.raises(ServingError, match=f"Failed to write JSON value for tensor type: {name}"):
        tensors.predictions({"y": np.zeros(2, dtype)})


def test_rows_need_the_same_batch_in_each_output():
    with pytest.raises(ServingError, match="Tensor name: b has inconsistent batch size: 1 expecting: 2"):
        tensors.predictions({"a": np.zeros(2), "b": np.zeros(1)})
    with pytest.raises(ServingError, match="Tensor name: a has no shape information"):
        tensors.predictions({"a": np.array(1.0)})
    with pytest.raises(ServingError, match="Cannot convert empty tensor map to JSON"):
        tensors.predictions({})


def test_empty_batches_are_empty_lists():
    assert answer(tensors.predictions({"y": np.zeros((0, 3), np.float32)})) == {"predictions": []}
    assert answer(tensors.columns({"y": np.zeros((2, 0), np.int64)})) == {"outputs": [[], []]}
    two = {"a": np.zeros((0, 3), np.float32), "b": np.zeros(0, object)}
    assert answer(tensors.predictions(two)) == {"predictions": []}
    assert answer(tensors.columns(two)) == {"outputs": {"a": [], "b": []}}


def test_arrays_of_any_layout_are_written():
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert answer(tensors.columns({"y": array})) == {"outputs": [[0, 3], [1, 4], [2, 5]]}


def test_classifications_and_regressions():
    # The numbers are those of TensorFlow Serving's tests.
    results = [[("car", 0.2), ("bike", 0.7)], [("car", 0.7), ("", 0.1)], []]
    assert answer(tensors.classifications(results)) == {
        "results": [[["car", 0.2], ["bike", 0.7]], [["car", 0.7], ["", 0.1]], []]
    }
    single = np.float32(0.2)
    assert answer(tensors.classifications([[("car", float(single))]])) == {"results": [[["car", 0.2]]]}
    assert tensors.classifications([[("a", math.nan), ("b", float(single))]]).split() == (
        b'{ "results": [[["a",NaN],["b",0.2]]] }'.split()
    )
    assert tensors.regressions([float(single), math.inf, 1, -math.inf, math.nan]).split() == (
        b'{ "results": [0.2,Infinity,1.0,-Infinity,NaN] }'.split()
    )


def test_a_scalar_input_can_be_given_by_column_only():
    count = {"count": tensor("DT_INT32", "int32")}
    assert read('{"inputs": 3}', count)[0]["count"].shape == ()
    assert read('{"instances": [3]}', count)[0]["count"].shape == (1,)
