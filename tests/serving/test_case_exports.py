"""Every case's export keeps every rule: a new case is tested by being registered."""

import os
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from case_exports import DIGITS, EXPORTS, HOUSES
from program_call import exit_status

from tf2cases import cases
from tf2cases.errors import UsageError
from tf2cases.programs import check_export
from tf2cases.serving import export, rules, warmup
from tf2cases.serving.model import Model


def test_every_registered_case_is_exported_here():
    assert {case for case, _, _ in EXPORTS.values()} == set(cases.REGISTRY)


@pytest.fixture(scope="module", params=EXPORTS)
def exported(request, tmp_path_factory):
    """(case, version directory, Model)."""
    name, fields, info = EXPORTS[request.param]
    case_class = cases.REGISTRY[name]
    case = case_class(case_class.Config(**fields, steps=10, epochs=None), info() if callable(info) else info)
    place = tmp_path_factory.mktemp(request.param)
    path = export.export_case(case, str(place / request.param), warmup=True)
    assert path == os.path.join(place, request.param, "1")
    return case, path, Model(path)


def bytes_inputs(model):
    """[(signature, input name)] of the signatures that take picture files."""
    return [
        (name, key)
        for name, specs in model.signatures.items()
        for key, spec in specs.items()
        if spec.dtype == tf.string and key != "inputs"
    ]


def test_rule_1_the_version_is_a_number_and_complete(exported):
    _, path, _ = exported
    assert {"saved_model.pb", "variables", "assets.extra"} <= set(os.listdir(path))
    assert [n for n in os.listdir(os.path.dirname(path)) if n.startswith(".")] == []


def test_rules_2_to_7_and_10_hold_for_the_reloaded_signatures(exported):
    _, path, _ = exported
    rules.check(dict(tf.saved_model.load(path).signatures))


def test_a_classifier_answers_the_classify_call(exported):
    case, _, model = exported
    if "classify" not in model.signatures:
        assert not isinstance(case, cases.MNIST | cases.RetrainedInception)
        pytest.skip("the case does not offer the Classify API")
    request, names = case.requests()["classify"], case.info["class_names"]
    answer = model.call("classify", **request)
    assert set(answer) == {"classes", "scores"}
    assert answer["classes"].shape == answer["scores"].shape == (len(request["inputs"]), len(names))
    assert sorted(c.decode() for c in answer["classes"][0]) == names


def test_rule_8_a_row_is_answered_the_same_alone_and_in_any_batch(exported):
    case, _, model = exported
    for name, request in case.requests().items():
        sevenfold = {key: np.concatenate([value] * 4)[:7] for key, value in request.items()}
        together = model.call(name, **sevenfold)
        for i in (0, 6):
            alone = model.call(name, **{key: value[i : i + 1] for key, value in sevenfold.items()})
            for key, value in alone.items():
                if value.dtype == object:
                    assert np.array_equal(value[0], together[key][i])
                else:
                    scale = np.abs(together[key]).max()
                    atol = case.export_tolerance * scale
                    np.testing.assert_allclose(value[0], together[key][i], rtol=0, atol=atol)


def test_rule_9_warmup_has_each_signature_with_one_row_and_several(exported):
    from tensorflow_serving.apis import prediction_log_pb2

    case, path, _ = exported
    seen = set()
    for record in tf.data.TFRecordDataset(os.path.join(path, warmup.PATH)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        rows = {tensor.tensor_shape.dim[0].size for tensor in request.inputs.values()}
        seen.add((request.model_spec.signature_name, rows.pop()))
    several = {name: len(next(iter(request.values()))) for name, request in case.requests().items()}
    assert seen == {(name, rows) for name in several for rows in (1, several[name])}


def test_rule_11_no_nan_on_zeros_ones_and_random_inputs(exported):
    _, _, model = exported
    rng = np.random.default_rng(0)
    for name, specs in model.signatures.items():
        if any(spec.dtype == tf.string for spec in specs.values()):
            continue
        for make in (np.zeros, np.ones, lambda shape: rng.normal(size=shape)):
            inputs = {k: make([2, *s.shape[1:]]).astype(np.float32) for k, s in specs.items()}
            for value in model.call(name, **inputs).values():
                assert value.dtype == object or np.isfinite(value).all()  # bytes are files of pictures


def test_rule_12_openvino_agrees_to_1e_4(exported):
    import openvino

    case, path, model = exported
    request = case.requests()["serving_default"]
    compiled = openvino.compile_model(openvino.Core().read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    theirs = list(compiled(list(request.values())).values())
    ours = model.call("serving_default", **request)
    assert len(theirs) == len(ours)
    for name, value in ours.items():  # OpenVINO has names of its own
        gaps = [np.abs(other - value).max() for other in theirs if other.shape == value.shape]
        assert min(gaps) <= 1e-4 * np.abs(value).max(), name


def test_rule_13_a_small_file_of_a_huge_picture_is_refused_before_it_is_decoded(exported):
    _, _, model = exported
    if not bytes_inputs(model):
        pytest.skip("takes no pictures")
    head = struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", len(head)) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    for name, key in bytes_inputs(model):
        with pytest.raises(UsageError, match=r"20000 x 20000 pixels, but at most (16|50) megapixels"):
            model.call(name, **{key: np.array([b"\x89PNG\r\n\x1a\n" + chunk], object)})


def test_the_program_that_checks_exports_finds_nothing_wrong(exported, capsys):
    _, path, _ = exported
    assert exit_status(check_export, path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("ok ", "-       classify: there is no such signature")) for line in lines[:-1])
    assert lines[-1].startswith(f"{path}: 2")  # 21 or 22 rules


def test_the_house_price_is_in_its_own_units():
    case_class = cases.REGISTRY["linear_regression"]
    case = case_class(case_class.Config(steps=1, epochs=None), HOUSES)
    case.weights.assign([[0.1], [0.5], [-0.2]])
    # By hand: ((2795.4 - 2000.7) / 794.7 = 1, (3.17 - 3.17) / 0.76 = 0) -> 0.1 + 0.5 = 0.6 deviations above the mean.
    price = case.signatures()["serving_default"](tf.constant([[2795.4, 3.17]]))["price"]
    np.testing.assert_allclose(price, [340413.0 + 0.6 * 125040.0], rtol=1e-6)


def test_the_same_case_is_not_exported_twice(tmp_path, monkeypatch):
    monkeypatch.setattr("tf2cases.serving.verify.in_fresh_process", lambda *_: None)

    def digits(**fields):
        return cases.MNIST(cases.MNIST.Config(model="mlp", steps=10, epochs=None, **fields), DIGITS)

    def export_it(case):
        return os.path.basename(export.export_case(case, str(tmp_path / "digits"), warmup=False))

    case = digits()
    assert [export_it(case), export_it(case), export_it(digits(workdir="w"))] == ["1", "1", "1"]
    case.network.variables[0].assign_add(tf.ones_like(case.network.variables[0]))
    assert [export_it(case), export_it(case)] == ["2", "2"]
    assert export_it(digits(seed=1)) == "3"


def test_the_price_is_exact_where_features_hardly_vary():
    """Means whose rounding to float32, by up to 4, is large beside the deviations."""
    info = {"feature_names": ["a"], "target_name": "b", "mean": [100_000_003.0, 5.0], "std": [8.0, 2.0]}
    case_class = cases.REGISTRY["linear_regression"]
    case = case_class(case_class.Config(steps=1, epochs=None), info)
    case.weights.assign([[0.0], [1.0]])
    # By hand: (100,000,016 - 100,000,003) / 8 = 1.625 deviations, so 5 + 2 * 1.625 = 8.25.
    price = case.signatures()["serving_default"](tf.constant([[100_000_016.0]]))["price"]
    np.testing.assert_allclose(price, [8.25], rtol=1e-6)
