"""REST, gRPC and plain TensorFlow give the same answers, for every signature of every case."""

import base64
import itertools

import numpy as np
import pytest
import tensorflow as tf
from case_exports import EXPORTS
from running import serving

from tf2cases import cases
from tf2cases.serving import export, verify

TOLERANCE = 1e-6  # of the output's largest value


# Inception-v3 takes as long as all the others.
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name == "retrain" else name for name in EXPORTS]


@pytest.fixture(scope="module", params=NAMES)
def served(request, tmp_path_factory):
    """(server, export name, case, version directory)."""
    name = request.param
    case_name, fields, info = EXPORTS[name]
    place, case_class = tmp_path_factory.mktemp("exports"), cases.REGISTRY[case_name]
    case = case_class(case_class.Config(**fields, steps=10, epochs=None), info() if callable(info) else info)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "in_fresh_process", lambda *arguments: None)
        path = export.export_case(case, str(place / name), warmup=True)
    with serving(base_path=str(place)) as server:
        yield server, name, case, path


def encoded(value):
    """An array as JSON."""
    if isinstance(value, np.ndarray):
        return [encoded(element) for element in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return value.item() if hasattr(value, "item") else value


def decoded(name, value, like):
    """What JSON has for an output, as an array of the type of another."""
    if like.dtype != object:
        return np.array(value, like.dtype).reshape(like.shape)
    flat = list(_leaves(value))
    return np.array(
        [base64.b64decode(leaf["b64"]) if name.endswith("_bytes") else leaf.encode() for leaf in flat], object
    )


def _leaves(value):
    return itertools.chain.from_iterable(map(_leaves, value)) if isinstance(value, list) else [value]


def assert_same(got, expected, name):
    assert got.dtype == expected.dtype, name
    if expected.dtype == object:
        assert got.ravel().tolist() == expected.ravel().tolist(), name
    else:
        assert got.shape == expected.shape, name
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max(), err_msg=name)


def test_rest_grpc_and_tensorflow_agree(served):
    server, name, case, path = served
    plain = tf.saved_model.load(path)
    assert set(plain.signatures) == set(case.requests())
    for signature, inputs in case.requests().items():
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        expected = {key: value.numpy() for key, value in plain.signatures[signature](**tensors).items()}
        answer = server.predict(inputs, name, signature=signature).outputs
        assert set(answer) == set(expected)
        columns = server.post(
            f"{name}:predict", {"signature_name": signature, "inputs": {k: encoded(v) for k, v in inputs.items()}}
        )["outputs"]
        columns = columns if len(expected) > 1 else {next(iter(expected)): columns}
        rows = [dict(zip(inputs, map(encoded, row), strict=True)) for row in zip(*inputs.values(), strict=True)]
        instances = server.post(f"{name}:predict", {"signature_name": signature, "instances": rows})["predictions"]
        for key, value in expected.items():
            which = f"{name} {signature} {key}"
            assert_same(tf.make_ndarray(answer[key]), value, f"{which} over gRPC")
            assert_same(decoded(key, columns[key], value), value, f"{which} over REST by columns")
            column = [row[key] for row in instances] if len(expected) > 1 else instances
            assert_same(decoded(key, column, value), value, f"{which} over REST by rows")
