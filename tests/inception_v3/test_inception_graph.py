"""The frozen graph of 2015, run by TensorFlow 1's session, by the engine, and as variables."""

import inception_referee as referee
import numpy as np
import pytest
import tensorflow as tf

from tf2cases import inception_v3
from tf2cases.errors import UsageError
from tf2cases.inception_v3 import frozen_graph, weights


def jpeg(seed):
    """A JPEG of an odd size."""
    picture = referee.smooth_pictures(1, seed)[0]
    return tf.io.encode_jpeg(tf.cast(255 * tf.image.resize(picture, [211, 340]), tf.uint8), quality=90).numpy()


def session_answers(graph_def, files):
    """(logits, features) of the untouched graph."""
    answers = []
    with tf.Graph().as_default():
        tf.compat.v1.import_graph_def(graph_def, name="")
        with tf.compat.v1.Session() as session:
            for file in files:
                fetched = session.run(["softmax/logits:0", "pool_3:0"], {"DecodeJpeg/contents:0": file})
                answers.append([np.ravel(value) for value in fetched])
    return [np.stack(values) for values in zip(*answers, strict=True)]


def top_5(rows):
    return np.argsort(-rows, axis=1)[:, :5].tolist()


def test_session_engine_and_variables_agree(graph_2015):
    path, graph_def = graph_2015
    assert graph_def.versions.producer < 9
    assert "BatchNormWithGlobalNormalization" in {node.op for node in graph_def.node}
    files = [jpeg(seed) for seed in (2, 3)]
    logits, features = session_answers(graph_def, files)
    assert np.abs(logits[0] - logits[1]).max() > 0.1  # the pictures are told apart

    engine = frozen_graph.Engine(path)
    answers = [engine(file) for file in files]
    by_engine = np.stack([answer["logits"] for answer in answers])
    np.testing.assert_allclose(by_engine, logits, rtol=0, atol=1e-4)
    np.testing.assert_allclose([answer["features"] for answer in answers], features, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose([answer["probabilities"] for answer in answers], tf.nn.softmax(logits), atol=1e-5)
    assert engine.classes == 1008

    loaded = weights.load(path)
    kind = loaded.preprocessing
    images = kind.scaled(kind.decode(tf.constant(files)))
    for network in (loaded.network, loaded.network.fold()):
        np.testing.assert_allclose(network(images), logits, rtol=0, atol=1e-4)
    assert top_5(logits) == top_5(by_engine) == top_5(loaded.network(images).numpy())


def test_what_is_left_over_is_named(graph_2015):
    left_over = weights.load(graph_2015[0]).left_over
    assert sum(name.endswith("/batchnorm/gamma") for name in left_over) == 94
    assert sum(name.endswith("/join/concat_dim") for name in left_over) == 11
    others = [name for name in left_over if not name.endswith(("gamma", "concat_dim"))]
    assert others == [
        "DecodeJpeg/contents",
        "ExpandDims/dim",
        "Mul/y",
        "ResizeBilinear/size",
        "Sub/y",
        "pool_3/_reshape/shape",
    ]


def test_a_scale_that_the_graph_uses_is_used(keras_inception, tmp_path):
    rng = np.random.default_rng(0)
    units = [
        unit | {"gamma": rng.uniform(0.8, 1.2, unit["beta"].shape).astype(np.float32)} for unit in keras_inception.units
    ]
    graph_def = referee.GraphOf2015(units, classes=7, scale=True).graph_def
    path = tmp_path / "scaled.pb"
    path.write_bytes(graph_def.SerializeToString())
    files = [jpeg(4)]
    logits, _ = session_answers(graph_def, files)
    loaded = weights.load(str(path))
    assert not any(name.endswith("gamma") for name in loaded.left_over)
    images = loaded.preprocessing.scaled(loaded.preprocessing.decode(tf.constant(files)))
    np.testing.assert_allclose(loaded.network(images), logits, rtol=0, atol=1e-4)
    np.testing.assert_allclose(frozen_graph.Engine(str(path))(files[0])["logits"], logits[0], rtol=0, atol=1e-4)


def test_the_engine_takes_an_rgba_png_on_white(graph_2015):
    engine = frozen_graph.Engine(graph_2015[0])
    rgba = np.zeros([40, 50, 4], np.uint8)
    rgba[10:20, :, 0] = rgba[10:20, :, 3] = 255  # a red stripe on nothing
    rgb = np.full([40, 50, 3], 255, np.uint8)
    rgb[10:20, :, 1:] = 0
    transparent, opaque = (engine(tf.io.encode_png(image).numpy())["logits"] for image in (rgba, rgb))
    np.testing.assert_array_equal(transparent, opaque)


def other_graph(tmp_path, change):
    graph_def = tf.compat.v1.GraphDef()
    change(graph_def)
    path = tmp_path / "other.pb"
    path.write_bytes(graph_def.SerializeToString())
    return str(path)


def test_a_graph_of_another_network_is_refused(tmp_path):
    path = other_graph(tmp_path, lambda graph_def: graph_def.node.add(name="x", op="NoOp"))
    with pytest.raises(UsageError, match=r"other.pb has no 'conv/conv2d_params', which is Inception-v3's conv/kernel"):
        weights.load(path)
    with pytest.raises(UsageError, match=r"other.pb is not the graph of 2015: .*softmax"):
        frozen_graph.Engine(path)


def test_another_epsilon_is_refused(graph_2015, tmp_path):
    def change(graph_def):
        graph_def.CopyFrom(graph_2015[1])
        node = next(node for node in graph_def.node if node.name == "conv_1/batchnorm")
        node.attr["variance_epsilon"].f = 0.01

    with pytest.raises(UsageError, match=r"conv_1/batchnorm has epsilon 0.01, but Inception-v3 has 0.001"):
        weights.load(other_graph(tmp_path, change))


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    empty = tmp_path / "empty.pb"
    empty.write_bytes(b"")
    with pytest.raises(UsageError, match="has no nodes, but must be a frozen graph"):
        frozen_graph.parse(str(empty))


def test_real_pictures_are_answered_alike(graph_2015, shared):
    """A JPEG under the name .png and a photograph, decoded by the graph's own rule."""
    path, graph_def = graph_2015
    files = [(shared / "data" / "inception" / name).read_bytes() for name in ("img/test1.png", "transfer/test.jpg")]
    logits, features = session_answers(graph_def, files)
    loaded = weights.load(path)
    model = inception_v3.InceptionV3(loaded.network, loaded.preprocessing, [str(i) for i in range(1008)])
    answer = model.answer(files)
    assert top_5(answer["probabilities"]) == top_5(logits)
    np.testing.assert_allclose(answer["probabilities"], tf.nn.softmax(logits), atol=1e-4)
    np.testing.assert_allclose(answer["features"], features, rtol=1e-3, atol=1e-2)
