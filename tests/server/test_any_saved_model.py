"""SavedModels of other origins: Keras, a distribution strategy, bare checkpoints, inputs with defaults."""

import numpy as np
import pytest
import tensorflow as tf
from running import serving
from tensorflow.core.protobuf import saved_model_pb2


def ask(path, value, **options):
    """The only output's value for the only input, over gRPC and REST, which must agree."""
    with serving(base_path=path, retries=0) as server:
        (signature,) = [s for s in _signatures(server) if s == options.get("signature", "serving_default")]
        name = _signatures(server)[signature]
        outputs = server.predict({name: np.float32(value)}, signature=signature).outputs
        (got,) = (tf.make_ndarray(output).tolist() for output in outputs.values())
        body = {"signature_name": signature, "inputs": {name: value}}
        assert server.post("default:predict", body) == {"outputs": got}
        return got


def _signatures(server):
    found = server.get("/v1/models/default/metadata")["metadata"]["signature_def"]["signature_def"]
    return {name: next(iter(signature["inputs"]), None) for name, signature in found.items()}


def keras_model():
    layers = [
        tf.keras.layers.Input((1,), name="x"),
        tf.keras.layers.Dense(1, kernel_initializer="ones"),
        tf.keras.layers.Lambda(lambda x: x * 2, name="y"),
    ]
    return tf.keras.Sequential(layers)


def export(model, path):
    model.export(path)


@pytest.mark.parametrize("write", [export, tf.saved_model.save])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_keras_model(tmp_path, write, mirrored, caplog):
    strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]) if mirrored else tf.distribute.get_strategy()
    with strategy.scope():
        model = keras_model()
    write(model, str(tmp_path / "1"))
    assert ask(str(tmp_path), [[2.0]]) == [[4.0]]
    # https://github.com/tensorflow/serving/issues/2226
    assert ("tensorflow_model_server cannot serve it" in caplog.text) == (write is tf.saved_model.save)


def test_a_checkpoint_with_a_function_of_any_shape(tmp_path):
    # As in TF Serving's own tests.
    root = tf.train.Checkpoint()
    root.v1, root.v2 = tf.Variable(3.0), tf.Variable(2.0)
    root.f = tf.function(lambda x: {"y": root.v1 * root.v2 * x})
    tf.saved_model.save(root, str(tmp_path / "00000123"), root.f.get_concrete_function(tf.TensorSpec(None, tf.float32)))
    assert ask(str(tmp_path), [2.0]) == [12.0]
    assert ask(str(tmp_path), 2.0) == 12.0


def test_signatures_with_constant_answers(tmp_path):
    root = tf.train.Checkpoint()
    root.f = tf.function(lambda x: {"y": 1.0}, input_signature=[tf.TensorSpec(None, tf.float32)])
    root.g = tf.function(lambda x: {"y": 2.0}, input_signature=[tf.TensorSpec(None, tf.float32)])
    tf.saved_model.save(root, str(tmp_path / "1"), {"serving_default": root.f, "custom": root.g})
    assert ask(str(tmp_path), [2.0]) == 1
    assert ask(str(tmp_path), [2.0], signature="custom") == 2


def test_a_signature_without_inputs(tmp_path):
    function = tf.function(lambda: {"y": tf.constant([1.0, 2.0])}, input_signature=[])
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"), {"serving_default": function})
    with serving(base_path=str(tmp_path)) as server:
        assert list(server.predict({}).outputs["y"].float_val) == [1, 2]


def test_inputs_with_defaults_may_be_left_out(tmp_path):
    function = tf.function(
        lambda x, factor: {"y": x * factor},
        input_signature=[tf.TensorSpec([None], tf.float32, "x"), tf.TensorSpec([], tf.float32, "factor")],
    )
    place = tmp_path / "1"
    tf.saved_model.save(tf.Module(), str(place), {"serving_default": function})
    graph = saved_model_pb2.SavedModel()
    graph.ParseFromString((place / "saved_model.pb").read_bytes())
    signature = graph.meta_graphs[0].signature_def["serving_default"]
    signature.defaults["factor"].CopyFrom(tf.make_tensor_proto(np.float32(3)))
    (place / "saved_model.pb").write_bytes(graph.SerializeToString())
    with serving(base_path=str(tmp_path)) as server:
        assert list(server.predict({"x": np.float32([2])}).outputs["y"].float_val) == [6]
        both = {"x": np.float32([2]), "factor": np.float32(5)}
        assert list(server.predict(both).outputs["y"].float_val) == [10]


def test_a_model_that_asks_for_xla_is_told_of(tmp_path, caplog):
    function = tf.function(
        lambda x: {"y": x + 1}, input_signature=[tf.TensorSpec([None], tf.float32)], jit_compile=True
    )
    tf.saved_model.save(tf.Module(), str(tmp_path / "1"), {"serving_default": function})
    assert ask(str(tmp_path), [1.0]) == [2.0]
    assert "has functions with jit_compile=True; tensorflow_model_server refuses to run them" in caplog.text
