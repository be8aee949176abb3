"""Pictures in, classes and features out; and what is served."""

import os

import inception_referee as referee
import numpy as np
import openvino
import pytest
import tensorflow as tf
from PIL import Image

from tf2cases import inception_v3
from tf2cases.errors import UsageError
from tf2cases.inception_v3 import preprocessing, weights
from tf2cases.serving import export
from tf2cases.serving.model import Model

NAMES = [f"kind {i}" for i in range(9)]


@pytest.fixture(scope="module")
def model(keras_inception):
    """Keras' values and a last layer of nine classes."""
    network = inception_v3.Network(9, kernel_init=_zeros)
    network.create((None, *inception_v3.IMAGE_SHAPE), 0)
    for unit, values in zip(network.units().values(), keras_inception.units, strict=True):
        unit.conv.kernel.assign(values["kernel"])
        unit.norm.offset.assign(values["beta"])
        unit.norm.moving_mean.assign(values["moving_mean"])
        unit.norm.moving_variance.assign(values["moving_variance"])
    kernel, bias = referee.last_layer(9)
    network.logits.kernel.assign(kernel)
    network.logits.bias.assign(bias)
    return inception_v3.InceptionV3(network, preprocessing.KERAS, NAMES, top_k=3)


def _zeros(shape, seed):
    del seed
    return tf.zeros(shape)


def expected_probabilities(keras_inception):
    kernel, bias = referee.last_layer(9)
    return tf.nn.softmax(keras_inception.features @ kernel + bias).numpy()


def png(picture):
    return tf.io.encode_png(np.round(picture * 255).astype(np.uint8)).numpy()


def test_pictures_in_memory(model, keras_inception):
    answer = model.answer(keras_inception.pictures)
    np.testing.assert_allclose(answer["features"], keras_inception.features, rtol=0, atol=1e-4)
    np.testing.assert_allclose(answer["probabilities"], expected_probabilities(keras_inception), rtol=0, atol=1e-5)


def test_features_of_arrays_and_of_files_are_the_same(model):
    pictures = (255 * referee.smooth_pictures(3, 7)[:, ::2, ::3]).astype(np.uint8)
    files = [tf.io.encode_png(picture).numpy() for picture in pictures]
    by_array, by_file = model.features(pictures, batch_size=2), model.features(files)
    assert by_array.shape == (3, 2048)
    assert by_array.dtype == np.float32
    np.testing.assert_allclose(by_array, by_file, rtol=0, atol=1e-4)
    assert model.features([]).shape == (0, 2048)


def test_files_are_streamed_in_order_and_a_bad_one_is_named(model, tmp_path):
    pictures = (255 * referee.smooth_pictures(5, 3)[:, ::4, ::4]).astype(np.uint8)
    paths = []
    for i, picture in enumerate(pictures):
        paths.append(str(tmp_path / f"{i}.bmp"))
        Image.fromarray(picture).save(paths[-1])
    streamed = list(model.stream(paths, batch_size=2))
    assert [batch for batch, _ in streamed] == [paths[:2], paths[2:4], paths[4:]]
    together = np.concatenate([answer["features"] for _, answer in streamed])
    np.testing.assert_allclose(together, model.features(pictures), rtol=0, atol=1e-4)
    (tmp_path / "3.bmp").write_bytes(b"BM, but no picture")
    with pytest.raises(UsageError, match=r"3\.bmp: this is not a picture"):
        list(model.stream(paths, batch_size=2))


def test_best_is_best_first():
    assert inception_v3.best(np.array([0.1, 0.6, 0.3]), ["a", "b", "c"], 2) == [("b", 0.6), ("c", 0.3)]


def test_wrong_arrays_are_named(model):
    with pytest.raises(UsageError, match=r"images are float64 \[1, 8, 8, 3\], but must be uint8 \[N, H, W, 3\]"):
        model.answer(np.zeros([1, 8, 8, 3]))
    with pytest.raises(UsageError, match="there are 2 class names, but the network has 1,000 classes"):
        inception_v3.InceptionV3(weights.load("random").network, preprocessing.KERAS, ["a", "b"])


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("exports") / "inception_v3"
    path = export.export(model.signatures(), model.requests(), place, tolerance=1e-4)
    return path, Model(path)


def test_every_signature_answers_as_the_model(exported, model, keras_inception):
    _, served = exported
    files = [png(picture) for picture in keras_inception.pictures]
    live = model.answer(files)
    order = np.argsort(-live["probabilities"], axis=1)[:, :3]
    for signature, inputs in (
        ("classify_bytes", {"image_bytes": files}),
        ("classify", {"inputs": [example(file) for file in files]}),
    ):
        answer = served.call(signature, **inputs)
        assert [[name.decode() for name in row] for row in answer["classes"]] == [
            [NAMES[i] for i in row] for row in order
        ]
        np.testing.assert_allclose(
            answer["scores"], np.take_along_axis(live["probabilities"], order, 1), rtol=0, atol=1e-5
        )
    np.testing.assert_allclose(
        served.call("features_bytes", image_bytes=files)["features"], live["features"], rtol=0, atol=1e-4
    )
    probabilities = served.call("serving_default", images=keras_inception.pictures)["probabilities"]
    np.testing.assert_allclose(probabilities, expected_probabilities(keras_inception), rtol=0, atol=1e-5)


def example(file):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[file]))
    return tf.train.Example(features=tf.train.Features(feature={"image_bytes": feature})).SerializeToString()


def test_signatures_have_the_promised_shapes(exported):
    loaded = tf.saved_model.load(exported[0])
    outputs = {
        name: {k: (v.dtype, v.shape.as_list()) for k, v in function.structured_outputs.items()}
        for name, function in loaded.signatures.items()
    }
    ranked = {"classes": (tf.string, [None, 3]), "scores": (tf.float32, [None, 3])}
    assert outputs == {
        "classify_bytes": ranked,
        "classify": ranked,
        "serving_default": {"probabilities": (tf.float32, [None, 9])},
        "features_bytes": {"features": (tf.float32, [None, 2048])},
    }
    assert exported[1].signatures["serving_default"]["images"].shape.as_list() == [None, 299, 299, 3]


def test_the_export_has_the_folded_weights_once(exported):
    size = os.path.getsize(os.path.join(exported[0], "variables", "variables.data-00000-of-00001"))
    # 23,851,784 - 2048 * 991 - 991 for nine classes, less three numbers a channel and one more: 17,216 channels.
    parameters = 23_851_784 - 2048 * 991 - 991 - 3 * 17_216 + 17_216
    assert abs(size / 4 - parameters) < 10_000
    assert os.path.getsize(os.path.join(exported[0], "saved_model.pb")) < 3_000_000


def test_a_picture_of_more_than_50_megapixels_is_refused_by_the_server(exported):
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (20000).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0"
    with pytest.raises(UsageError, match="20000 x 20000 pixels, but at most 50 megapixels"):
        exported[1].call("classify_bytes", image_bytes=[header])


def test_openvino_agrees_to_1e_4(model, keras_inception, tmp_path):
    predict = model.signatures()["serving_default"]
    module = tf.Module()
    module.variables_ = list(predict.get_concrete_function().graph.variables)
    tf.saved_model.save(module, str(tmp_path), signatures=predict)
    compiled = openvino.compile_model(
        openvino.Core().read_model(str(tmp_path)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    (theirs,) = compiled([keras_inception.pictures]).values()
    np.testing.assert_allclose(theirs, expected_probabilities(keras_inception), rtol=0, atol=1e-4)


def test_weights_without_a_last_layer_give_features_and_no_export(keras_inception):
    network = inception_v3.Network(0, kernel_init=_zeros)
    network.create((None, *inception_v3.IMAGE_SHAPE), 0)
    model = inception_v3.InceptionV3(network, preprocessing.KERAS)
    assert set(model.answer(keras_inception.pictures[:1])) == {"features"}
    with pytest.raises(UsageError, match="no last layer"):
        model.signatures()
