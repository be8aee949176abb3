"""Retraining: features kept on the disk, what is learnt, distortions, fine-tuning, and folders that are refused."""

import json
import os
import shutil
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2cases import cases, inception_v3, nn, training
from tf2cases.cases import retrain
from tf2cases.configs.inception_v3 import WEIGHTS_DIR
from tf2cases.errors import UsageError
from tf2cases.inception_v3 import extractor

# A PNG of 20,000 x 20,000 pixels, of which only the header is there.
HEADER = b"IHDR" + (20000).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0"
HUGE = b"\x89PNG\r\n\x1a\n\0\0\0\r" + HEADER + zlib.crc32(HEADER).to_bytes(4, "big") + b"\0\0\0\0IDAT\x35\xaf\x06\x1e"


def train(place, shapes, **given):
    given = {"workdir": str(place / "run"), "log_every": 1, **shapes, **given}
    return training.train(retrain.RetrainedInception, retrain.Config.resolve(given))


def reports(result, split):
    with open(os.path.join(result.workdir, "metrics.jsonl")) as file:
        return [r for r in map(json.loads, file) if r["split"] == split]


@pytest.fixture(scope="module")
def base():
    return extractor.load("random", WEIGHTS_DIR)


@pytest.fixture
def counted(base, monkeypatch):
    """A list that gets the path of every picture that is decoded."""
    read, decoded = base.model.read, []
    monkeypatch.setattr(base.model, "read", lambda path: decoded.append(path) or read(path))
    return decoded


def test_retrain_pys_numbers_are_the_defaults():
    config = retrain.Config()
    assert (config.steps, config.batch_size, config.learning_rate) == (4000, 100, 0.01)


def test_shapes_are_learnt_with_random_weights_far_above_chance(tmp_path, draw_shapes, base, capsys):
    draw_shapes(tmp_path / "pictures", 10, 4)
    place = {"data_dir": str(tmp_path / "pictures"), "cache_dir": str(tmp_path / "cache"), "weights": "random"}
    result = train(tmp_path, place, steps=400, log_every=200, eval_every=400)
    held_out = (result.values["validation_accuracy"] + result.values["test_accuracy"]) / 2
    assert held_out >= 0.65  # of 24 pictures; by chance 0.33 with a standard deviation of 0.1
    out = capsys.readouterr().out
    assert "3 classes; 30 pictures for training, 12 for validation, 12 for testing." in out
    assert "Training the last layer: 6,147 parameters." in out
    assert (
        f"test {result.values['test_accuracy']:.2%} of 12; by chance 33.33%, by always predicting 'columns' 33.33%"
        in out
    )
    # The same in NumPy, from the features of the live model: softmax of features @ kernel + bias.
    source = retrain.RetrainedInception.load(result.config)
    files = [open(path, "rb").read() for path in source.test_paths]
    logits = base.model.features(files) @ result.case.logits.kernel.numpy() + result.case.logits.bias.numpy()
    right = np.mean(logits.argmax(axis=1) == source.test["labels"])
    assert right == pytest.approx(result.values["test_accuracy"])
    # And what is served says the same, by name.
    answer = result.case.signatures()["classify_bytes"](image_bytes=tf.constant(files[:2]))
    names = np.array(source.info["class_names"])
    assert [row[0].decode() for row in answer["classes"].numpy()] == names[logits[:2].argmax(axis=1)].tolist()
    np.testing.assert_allclose(answer["scores"][:, 0], tf.nn.softmax(logits[:2]).numpy().max(axis=1), atol=1e-4)


def test_through_distortions_and_fine_tuning_the_loss_falls_and_the_export_has_the_tuned_blocks(tmp_path, shapes):
    flags = dict(distort=True, fine_tune=1, learning_rate=0.006, batch_size=18, eval_every=100)
    result = train(tmp_path, shapes, steps=6, **flags)
    case, base = result.case, extractor.load("random", WEIGHTS_DIR)
    losses = [r["values"]["loss"] for r in reports(result, "train")]
    assert len(losses) == 6
    assert losses[-1] < losses[0] - 0.001
    assert all(v.name.startswith(("inception_v3/mixed_10/", "logits/")) for v in case.trainable_variables)
    before = base.body()["mixed_10/conv/kernel"].numpy()
    assert np.abs(case._tuned()["mixed_10/conv/kernel"] - before).max() > 1e-6
    restored = cases.restore(result.workdir)
    for name, variable in case._tuned().items():
        np.testing.assert_array_equal(restored._tuned()[name], variable)
    # Far enough from what it was that the frozen block would answer otherwise.
    case.logits.kernel.assign(nn.random.normal([2048, 3], [7, 7]) * 0.1)
    case._tuned()["mixed_10/conv/moving_mean"].assign_add(tf.fill([320], 0.5))
    image = np.asarray(retrain.RetrainedInception.load(result.config).test["images"][:2])
    live = tf.nn.softmax(case._infer["images"](image)).numpy()
    served = case.signatures()["serving_default"](images=tf.constant(image, tf.float32) / 255)["probabilities"]
    np.testing.assert_allclose(served, live, rtol=0, atol=1e-4)
    features = base.model.answer(image.astype(np.float32) / 255)["features"]
    frozen = tf.nn.softmax(features @ case.logits.kernel.numpy() + case.logits.bias.numpy()).numpy()
    assert np.abs(frozen - live).max() > 0.01


def test_features_are_computed_once_and_found_by_content(tmp_path, shapes, base, counted):
    paths = sorted(os.path.join(place, n) for place, _, names in os.walk(shapes["data_dir"]) for n in names)[:4]
    cache = str(tmp_path / "cache")
    first = np.asarray(base.features(paths, cache))
    assert sorted(counted) == paths
    assert (first.shape, first.dtype) == ((4, 2048), np.float32)
    np.testing.assert_allclose(first[2], base.model.features([open(paths[2], "rb").read()])[0], rtol=0, atol=1e-4)
    renamed = str(tmp_path / "other.name")
    shutil.copy(paths[1], renamed)
    counted.clear()
    np.testing.assert_array_equal(np.asarray(base.features([renamed, *paths[::-1]], cache)), first[[1, 3, 2, 1, 0]])
    assert counted == []
    Image.new("L", (9, 9), 77).save(tmp_path / "new.png")
    base.features([*paths, str(tmp_path / "new.png")], cache)
    assert counted == [str(tmp_path / "new.png")]


def test_interrupted_caching_goes_on_where_it_stopped(tmp_path, shapes, base, counted, monkeypatch):
    paths = sorted(os.path.join(place, n) for place, _, names in os.walk(shapes["data_dir"]) for n in names)[:6]
    cache, stream = str(tmp_path / "cache"), base.model.stream
    monkeypatch.setattr(extractor, "BATCH", 2)

    def interrupted(*arguments):
        for number, batch in enumerate(stream(*arguments)):
            if number == 2:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(base.model, "stream", interrupted)
    with pytest.raises(KeyboardInterrupt):
        base.features(paths, cache)
    monkeypatch.setattr(base.model, "stream", stream)
    counted.clear()
    base.features(paths, cache)
    assert counted == paths[4:]


def test_other_weights_have_other_features(base):
    loaded = inception_v3.weights.load("random", seed=1)
    assert extractor.Extractor(loaded).identity != base.identity


@pytest.fixture
def flawed(tmp_path, shapes):
    """The shapes with one more file, given its bytes: returns the flags."""

    def make(data, name="bad.png"):
        folder = tmp_path / "pictures"
        shutil.copytree(shapes["data_dir"], folder)
        with open(os.fsencode(folder / "discs") + b"/" + os.fsencode(name), "wb") as file:
            file.write(data)
        return shapes | {"data_dir": str(folder)}

    return make


def load(flags, **more):
    return retrain.RetrainedInception.load(retrain.Config(**flags, **more))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"discs/bad\.png: the file is empty"),
        (b"GIF89a, not really", r"discs/bad\.png: this is not a picture"),
        (HUGE, r"discs/bad\.png: .* 50 megapixels"),
    ],
    ids=["empty", "no_picture", "huge"],
)
def test_a_file_that_is_no_picture_is_named_or_skipped(data, message, flawed, capsys):
    flags = flawed(data)
    with pytest.raises(UsageError, match=message + ".*; at most --max_bad_images=0 such files are skipped"):
        load(flags)
    source = load(flags, max_bad_images=1)
    assert sum(len(split["labels"]) for split in source.splits.values()) == 24
    assert "Skipped 1 of 25 files; the first error: " in capsys.readouterr().out


def test_pictures_of_every_kind_and_name_are_taken(flawed, tmp_path):
    rng = np.random.default_rng(0)
    deep = Image.fromarray(rng.integers(0, 65536, [20, 30], np.uint16))
    deep.save(tmp_path / "x.png")
    flags = flawed((tmp_path / "x.png").read_bytes(), os.fsdecode(b"caf\xe9.png"))
    place = os.path.join(flags["data_dir"], "rows")
    Image.fromarray(rng.integers(0, 256, [20, 30, 4], np.uint8)).save(f"{place}/rgba.png")
    Image.fromarray(rng.integers(0, 256, [20, 30], np.uint8)).save(f"{place}/jpeg.png", "JPEG")
    source = load(flags)
    assert sum(len(split["labels"]) for split in source.splits.values()) == 27


def test_a_missing_folder_and_changed_weights_are_named(shapes, base):
    with pytest.raises(UsageError, match="--data_dir is missing: it must be a folder"):
        retrain.RetrainedInception.load(retrain.Config())
    with pytest.raises(UsageError, match="--weights=random have changed since the run was started"):
        retrain.RetrainedInception(retrain.Config(weights="random"), {"class_names": ["a", "b"], "weights": "another"})
    with pytest.raises(UsageError, match="--fine_tune is 19, but must be at most 18"):
        retrain.Config(fine_tune=19)


def test_distortions_flip_crop_scale_and_brighten_as_much_as_they_say():
    y, x = np.mgrid[0:1:100j, 0:1:100j]
    image = np.stack([200 * x, 200 * y, np.full_like(x, 100)], -1).round().astype(np.uint8)
    seed = nn.random.at_step(5, 0)
    drawn = retrain.distort(tf.constant(np.stack([image] * 400)), seed)
    assert (drawn.dtype, drawn.shape) == (tf.uint8, [400, 100, 100, 3])
    drawn = drawn.numpy().astype(float)
    bright = drawn[..., 2].mean(axis=(1, 2)) / 100
    assert 0.89 < bright.min() < 0.91 < 1.09 < bright.max() < 1.11
    span_x = (drawn[:, 50, -1, 0] - drawn[:, 50, 0, 0]) / bright / 200
    span_y = (drawn[:, -1, 50, 1] - drawn[:, 0, 50, 1]) / bright / 200
    assert 150 < (span_x < 0).sum() < 250  # flipped
    for span in (np.abs(span_x), span_y):  # 1 / (1.1 * 1.1) to 1 / 1.1 of the side
        assert 0.80 < span.min() < 0.85 < 0.89 < span.max() < 0.93
    np.testing.assert_allclose(np.abs(span_x), span_y, atol=0.03)
    np.testing.assert_array_equal(retrain.distort(tf.constant(np.stack([image] * 400)), seed), drawn)
    white = retrain.distort(tf.fill([50, 8, 8, 3], tf.constant(255, tf.uint8)), seed).numpy()
    assert white.min() > 220  # saturated, not wrapped around
