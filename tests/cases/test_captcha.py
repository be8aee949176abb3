"""The captcha reader against Keras, NumPy and hand calculations."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases import nn, training, viz
from tf2cases.cases import CaptchaReader
from tf2cases.data import pipeline
from tf2cases.data.captchas import generated
from tf2cases.data.captchas.folder import is_held_out, read
from tf2cases.data.captchas.text import Charset
from tf2cases.errors import UsageError

DIGITS = {"image_shape": [60, 160, 1], "charset": "0123456789", "length": 4}
SMALL = {"image_shape": [30, 40, 1], "charset": "aAb", "length": 2}


def make(info=DIGITS, **fields):
    return CaptchaReader(CaptchaReader.Config(steps=10, **({"epochs": None} | fields)), info)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 labelled pictures, named as people name them."""
    place = tmp_path_factory.mktemp("pictures")
    drawn = generated.load(str(tmp_path_factory.mktemp("drawn")), generated.TRAIN_STREAM, 5, 40, workers=1)
    for i, (image, label) in enumerate(zip(drawn["images"], drawn["labels"], strict=True)):
        text = Charset("digits").decode(label)
        viz.write_png(place / f"{text}-{i}.png", image)
    return place


def test_the_original_network_equals_kerass_layer_by_layer():
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((60, 160, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2, padding="same"),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(40),
        ]
    )
    case = make(model="original")
    ours = [(shape, count) for _, shape, count in nn.summary_rows(case.network)]
    assert ours == [(tuple(layer.output.shape), layer.count_params()) for layer in model.layers]
    assert sum(count for _, count in ours) == 1_292_744
    for mine, theirs in zip(case.network.trainable_variables, _weights(model), strict=True):
        mine.assign(theirs)
    images = np.random.default_rng(0).integers(0, 256, [3, 60, 160, 1], np.uint8)
    expected = model(images.astype(np.float32) / 255).numpy().reshape(3, 4, 10)
    np.testing.assert_allclose(case._infer(images), expected, atol=1e-5)


def _weights(model):
    """Keras' weights in the order of tf.Module: a layer's variables by name, bias before kernel."""
    return [w for layer in model.layers for w in sorted(layer.weights, key=lambda w: w.name)]


@pytest.mark.parametrize("loss", ["softmax", "binary"])
def test_the_loss_is_kerass_also_for_extreme_logits(loss):
    import keras

    case = make(SMALL, loss=loss)
    rng = np.random.default_rng(1)
    logits = (rng.normal(size=[5, 2, 3]) * [[[1]], [[3]], [[10]], [[0]], [[1e4]]]).astype(np.float32)
    labels = rng.integers(0, 3, [5, 2]).astype(np.int32)
    one_hot = np.eye(3, dtype=np.float32)[labels]
    if loss == "softmax":
        expected = keras.losses.categorical_crossentropy(one_hot, logits, from_logits=True).numpy().sum(axis=1)
    else:
        flat = keras.ops.reshape(keras.ops.softmax(logits), [5, 6])
        expected = keras.losses.binary_crossentropy(one_hot.reshape(5, 6), flat).numpy()
    ours = case._losses(labels, logits).numpy()
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_measures_by_hand():
    """Three classes, two heads. Row 0 is right twice; row 1 once, and surely; row 2 never."""
    case = make(SMALL)
    sure, unsure = 10.0, 0.1
    logits = np.zeros([3, 2, 3], np.float32)
    logits[0, 0, 1] = logits[0, 1, 2] = sure
    logits[1, 0, 0] = logits[1, 1, 1] = sure
    logits[2, 0, 2] = logits[2, 1, 2] = unsure  # argmax is wrong; no probability reaches one half
    labels = np.array([[1, 2], [0, 2], [0, 0]], np.int32)
    measured = {k: v.numpy() for k, v in case._metrics(labels, logits).items()}
    assert measured["string_accuracy"].tolist() == [True, False, False]
    assert measured["character_accuracy"].tolist() == [1.0, 0.5, 0.0]
    # Elements: 6 of 6; in row 1 one head has two wrong of three; in row 2 each head misses its one.
    np.testing.assert_allclose(measured["element_accuracy"], [1.0, 4 / 6, 4 / 6])


def test_upper_and_lower_case_are_merged_where_the_charset_has_both():
    case = make(SMALL)
    case._infer = lambda images: tf.one_hot([[1, 2], [0, 2], [2, 2]], 3)  # Ab, ab, bb
    images = np.zeros([3, 30, 40, 1], np.uint8)
    labels = np.array([[0, 2], [0, 2], [0, 2]], np.uint8)  # ab
    values = case.evaluate(pipeline.in_order({"images": images, "labels": labels}, 3))
    assert values["string_accuracy"] == pytest.approx(1 / 3)
    assert values["string_accuracy_case_merged"] == pytest.approx(2 / 3)
    assert "string_accuracy_case_merged" not in make().evaluate(
        pipeline.in_order({"images": np.zeros([1, 60, 160, 1], np.uint8), "labels": labels[:1].repeat(2, 1)}, 1)
    )


def test_the_served_reader_gives_text_and_confidence_of_the_tensors_it_decodes(folder):
    case = make()
    paths = sorted(folder.iterdir())[:3]
    files = np.array([path.read_bytes() for path in paths], object)
    signatures = case.signatures()
    answer = signatures["read_bytes"](tf.constant(files))
    images = read(str(folder)).images[:3].astype(np.float32) / 255
    p = signatures["serving_default"](tf.constant(images))["probabilities"].numpy()
    assert [t.decode() for t in answer["text"].numpy()] == [Charset("digits").decode(r) for r in p.argmax(axis=2)]
    np.testing.assert_allclose(answer["characters"], p.max(axis=2), rtol=1e-4)
    np.testing.assert_allclose(answer["confidence"], p.max(axis=2).prod(axis=1), rtol=1e-4)


def test_a_picture_of_another_size_is_resized_in_the_graph():
    case = make()
    image = np.full([120, 320, 3], 77, np.uint8)
    decoded = case._opened(tf.constant([tf.io.encode_png(image).numpy()]))
    assert decoded.shape == (1, 60, 160, 1)
    np.testing.assert_allclose(decoded, 77 / 255, atol=1e-6)


def config(tmp_path, **fields):
    return CaptchaReader.Config(cache_dir=str(tmp_path), workers=1, **fields)


def test_generated_pictures_are_the_default(tmp_path):
    source = CaptchaReader.load(config(tmp_path, train_count=6, test_count=3, charset="ab", length=2, width=60))
    assert source.train["images"].shape == (6, 60, 60, 1)
    assert source.info == {"image_shape": [60, 60, 1], "charset": "ab", "length": 2}


def test_a_folder_is_trained_on_less_a_tenth(folder, tmp_path):
    source = CaptchaReader.load(config(tmp_path, data_dir=str(folder)))
    held_out = sum(is_held_out(path.name) for path in folder.iterdir())
    assert (len(source.train["labels"]), len(source.test["labels"])) == (40 - held_out, held_out)


def test_a_folder_and_generated_pictures_are_joined_and_tested_on_the_folder(folder, tmp_path):
    both = CaptchaReader.load(config(tmp_path, data_dir=str(folder), train_count=5, test_count=2))
    alone = CaptchaReader.load(config(tmp_path, data_dir=str(folder)))
    assert len(both.train["labels"]) == 5 + len(alone.train["labels"])
    np.testing.assert_array_equal(both.test["images"], alone.test["images"])


@pytest.mark.parametrize(("part", "all_of_them"), [("all", True), ("held_out", False)])
def test_another_folder_can_be_the_test(folder, tmp_path, part, all_of_them):
    source = CaptchaReader.load(config(tmp_path, train_count=4, test_count=2, test_dir=str(folder), test_part=part))
    held_out = sum(is_held_out(path.name) for path in folder.iterdir())
    assert len(source.test["labels"]) == (40 if all_of_them else held_out)


def test_nothing_to_train_on_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--train_count is 0, but must be greater than 0 if no --data_dir"):
        CaptchaReader.load(config(tmp_path, train_count=0))


def test_a_test_folder_without_held_out_pictures_is_refused(tmp_path):
    name = next(name for name in (f"0123-{i}.png" for i in range(99)) if not is_held_out(name))
    viz.write_png(tmp_path / "few" / name, np.zeros([60, 160], np.uint8))
    with pytest.raises(UsageError, match=r"--test_part is 'held_out', but .*few has no such picture"):
        CaptchaReader.load(
            config(tmp_path, train_count=2, test_count=2, test_dir=str(tmp_path / "few"), test_part="held_out")
        )


def test_it_learns_a_few_pictures_by_heart(tmp_path):
    fields = dict(train_count=50, test_count=5, charset="01", length=2, width=60, height=40)
    chosen = CaptchaReader.Config.resolve(
        dict(
            cache_dir=str(tmp_path / "data"),
            workers=1,
            workdir=str(tmp_path / "w"),
            batch_size=25,
            steps=40,
            eval_every=40,
            schedule="constant",
            log_every=10,
        )
        | fields
    )
    result = training.train(CaptchaReader, chosen)
    history = [r["values"] for r in _metrics(tmp_path / "w") if r["split"] == "train"]
    assert history[-1]["string_accuracy"] >= 0.9
    assert history[-1]["loss"] < history[0]["loss"] / 4
    assert set(result.values) == set(result.case.metric_names)
    text = result.case.conclude(CaptchaReader.load(chosen), result.values)
    assert "of 5 (by chance 0.25)" in text
    assert "read as" in text


def _metrics(path):
    from tf2cases.training.workdir import read_metrics

    return read_metrics(str(path))
