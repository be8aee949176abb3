"""Weights in every form that people have them: read right, checked, and refused with the name of what is wrong."""

import pathlib
import shutil
import tarfile
import zipfile

import h5py
import inception_referee as referee
import numpy as np
import pytest
import tensorflow as tf

from tf2cases.errors import UsageError
from tf2cases.inception_v3 import weights


def answer(loaded, pictures):
    inputs = tf.constant(loaded.preprocessing.scaled(pictures))
    features = loaded.network.features(inputs)
    return features.numpy(), loaded.network.logits(features).numpy() if loaded.network.logits else None


def assert_answers(loaded, features, logits, pictures):
    got_features, got_logits = answer(loaded, pictures)
    np.testing.assert_allclose(got_features, features, rtol=0, atol=1e-4)
    if logits is None:
        assert got_logits is None
    else:
        np.testing.assert_allclose(got_logits, logits, rtol=0, atol=1e-4)


def write_published(path, units, top=None, first=1, scale=None):
    """The layout of the published files; layers in an order that is not that of their making, numbers from `first`.

    Batch norms are counted from another number, as in a process that has made other layers before.
    """
    with h5py.File(path, "w") as file:
        for i in reversed(range(len(units))):
            conv, norm = f"conv2d_{first + i}", f"batch_normalization_{first + 200 + i}"
            file[f"{conv}/{conv}/kernel:0"] = units[i]["kernel"]
            for name in ("beta", "moving_mean", "moving_variance"):
                file[f"{norm}/{norm}/{name}:0"] = units[i][name]
            if scale:
                file[f"{norm}/{norm}/gamma:0"] = scale(units[i])
        file.create_group("activation_1")
        if top:
            for name, value in zip(("kernel:0", "bias:0"), top, strict=True):
                file[f"predictions/predictions/{name}"] = value


@pytest.mark.parametrize("first", [1, 9, 95])
def test_the_published_layout_wherever_the_numbers_start(first, keras_inception, tmp_path):
    path = str(tmp_path / "published.h5")
    top = keras_inception.model.get_layer("predictions").get_weights()
    write_published(path, keras_inception.units, top, first)
    loaded = weights.load(path)
    assert loaded.left_over == ()
    if first == 9:
        assert_answers(loaded, keras_inception.features, keras_inception.logits, keras_inception.pictures)
    else:  # the same values, which are quicker to compare
        for unit, values in zip(loaded.network.units().values(), keras_inception.units, strict=True):
            np.testing.assert_array_equal(unit.conv.kernel, values["kernel"])
            np.testing.assert_array_equal(unit.norm.moving_variance, values["moving_variance"])


def test_the_published_layout_without_a_top(keras_inception, tmp_path):
    path = str(tmp_path / "notop.h5")
    write_published(path, keras_inception.units)
    loaded = weights.load(path)
    assert loaded.network.classes == 0
    assert_answers(loaded, keras_inception.features, None, keras_inception.pictures)


def saved(model, path):
    path = str(path)
    if path.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return path


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.weights.h5", "MODEL.KERAS", "model.hdf5"])
def test_what_keras_itself_writes(name, keras_inception, tmp_path):
    path = saved(keras_inception.model, tmp_path / name.replace("MODEL.KERAS", "model.keras").replace("hdf5", "h5"))
    path = str(pathlib.Path(path).rename(tmp_path / name))
    loaded = weights.load(path)
    assert loaded.left_over == ()
    assert_answers(loaded, keras_inception.features, keras_inception.logits, keras_inception.pictures)


@pytest.fixture(scope="module")
def headless(keras_inception):
    """Keras' network up to the averaged features, as a layer for other models."""
    import keras

    return keras.Model(keras_inception.model.input, keras_inception.model.layers[-2].output, name="inception_v3")


def fine_tuned(headless, *head, first=()):
    import keras

    return keras.Sequential([keras.Input((299, 299, 3)), *first, headless, *head])


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.weights.h5"])
def test_the_network_as_a_layer_of_a_fine_tuned_model(name, headless, keras_inception, tmp_path):
    from keras import layers

    rescaled = layers.Rescaling(1 / 127.5, offset=-1)
    model = fine_tuned(headless, layers.Dropout(0.2), layers.Dense(5, activation="softmax"), first=[rescaled])
    loaded = weights.load(saved(model, tmp_path / name))
    kernel, bias = model.layers[-1].get_weights()
    assert loaded.network.classes == 5
    assert loaded.left_over == ()
    assert_answers(loaded, keras_inception.features, keras_inception.features @ kernel + bias, keras_inception.pictures)


@pytest.mark.parametrize(
    ("name", "head"),
    [("model.weights.h5", "norm"), ("model.keras", "hidden"), ("model.h5", "sigmoid"), ("model.h5", "grown")],
)
def test_a_head_that_is_not_one_layer_on_the_features_gives_no_classes(name, head, headless, keras_inception, tmp_path):
    import keras
    from keras import layers

    if head == "norm":
        model = fine_tuned(headless, layers.BatchNormalization(), layers.Dense(5, name="predictions"))
    elif head == "hidden":
        model = fine_tuned(headless, layers.Dense(8), layers.Dense(5, name="predictions"))
    elif head == "sigmoid":
        model = fine_tuned(headless, layers.Dense(1, activation="sigmoid"))
    else:  # the same layers, with a new head in the place of the old one
        normed = layers.BatchNormalization(name="batch_normalization_999")(headless.output)
        model = keras.Model(headless.input, layers.Dense(3)(normed))
    loaded = weights.load(saved(model, tmp_path / name))
    assert loaded.network.classes == 0
    assert loaded.left_over
    for unit, values in zip(loaded.network.units().values(), keras_inception.units, strict=True):
        np.testing.assert_array_equal(unit.conv.kernel, values["kernel"])
        np.testing.assert_array_equal(unit.norm.moving_variance, values["moving_variance"])


def test_pictures_that_are_scaled_otherwise_are_refused(headless, tmp_path):
    from keras import layers

    path = saved(fine_tuned(headless, first=[layers.Rescaling(1 / 255)]), tmp_path / "model.keras")
    with pytest.raises(UsageError, match=r"scales pictures by 0\.0039.* and adds 0.*, but must take what Keras' prepr"):
        weights.load(path)


def test_a_damaged_keras_file_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(
        UsageError, match=r"model\.keras is not a complete Keras file \(.*model\.weights\.h5.*\); save it"
    ):
        weights.load(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", b"no HDF5")
    with pytest.raises(UsageError, match=r"model\.keras is not a complete HDF5 file"):
        weights.load(str(path))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UsageError, match=r"model\.keras is not a complete HDF5 file"):
        weights.load(str(path))


def test_a_scale_goes_into_the_kernel(keras_inception, tmp_path):
    # gamma * (x * k - m) / s + beta; with k and m divided by gamma this is what there was before.
    path = str(tmp_path / "scaled.h5")
    rng = np.random.default_rng(0)
    scales = [rng.uniform(0.5, 2, unit["beta"].shape).astype(np.float32) for unit in keras_inception.units]
    units = [
        unit | {"kernel": unit["kernel"] / scale, "moving_mean": unit["moving_mean"] / scale, "gamma": scale}
        for unit, scale in zip(keras_inception.units, scales, strict=True)
    ]
    write_published(path, units, scale=lambda unit: unit["gamma"])
    loaded = weights.load(path)
    assert loaded.left_over == ()
    assert_answers(loaded, keras_inception.features, None, keras_inception.pictures)


def test_a_file_that_does_not_say_its_layers_names_is_refused(keras_inception, tmp_path):
    path = str(tmp_path / "early.weights.h5")
    keras_inception.model.save_weights(path)
    with h5py.File(path, "r+") as file:
        file.visititems(lambda _, item: item.attrs.pop("name", None) and None)
    with pytest.raises(UsageError, match=r"lacks the names of its layers \(layers/conv2d.*save it with"):
        weights.load(path)


@pytest.fixture(scope="module")
def slim_checkpoint(keras_inception, tmp_path_factory):
    """As published: one file of TensorFlow's first checkpoint format."""
    path = str(tmp_path_factory.mktemp("slim") / "inception_v3.ckpt")
    tensors = referee.slim_tensors(keras_inception.model)
    tf.raw_ops.Save(filename=path, tensor_names=list(tensors), data=[tf.constant(v) for v in tensors.values()])
    return path


def test_slims_checkpoint(slim_checkpoint, keras_inception):
    loaded = weights.load(slim_checkpoint)
    assert loaded.network.classes == 1001
    assert loaded.preprocessing.name == "slim"
    assert loaded.left_over == (
        "InceptionV3/AuxLogits/Conv2d_1b_1x1/BatchNorm/beta",
        "InceptionV3/AuxLogits/Conv2d_1b_1x1/weights",
        "global_step",
    )
    kernel, bias = referee.last_layer(1001)
    logits = keras_inception.features @ kernel + bias
    assert_answers(loaded, keras_inception.features, logits, keras_inception.pictures)


def test_random_weights_are_a_function_of_the_seed():
    first, again, other = (weights.load("random", seed=seed).network for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.logits.kernel, again.logits.kernel)
    assert not np.array_equal(first.logits.kernel, other.logits.kernel)


def damaged(tmp_path, keras_inception, change):
    path = str(tmp_path / "damaged.h5")
    units = [dict(unit) for unit in keras_inception.units]
    top = list(referee.last_layer(10))
    change(units, top)
    write_published(path, units, top)
    return path


def test_a_shape_of_another_network_is_named(keras_inception, tmp_path):
    def change(units, top):
        units[2]["kernel"] = units[2]["kernel"][:, :, :, :60]

    with pytest.raises(
        UsageError,
        match=r"conv2d_3/conv2d_3/kernel:0' has shape \[3, 3, 32, 60\], but Inception-v3's conv_2/kernel must have "
        r"\[3, 3, 32, 64\]",
    ):
        weights.load(damaged(tmp_path, keras_inception, change))


def test_a_file_of_another_network_is_refused(tmp_path, keras_inception):
    path = damaged(tmp_path, keras_inception, lambda units, top: units.pop())
    with pytest.raises(
        UsageError, match="has 93 conv2d layers, but Inception-v3 has 94: it belongs to another network"
    ):
        weights.load(path)


def test_a_missing_variable_is_named(keras_inception, tmp_path):
    path = damaged(tmp_path, keras_inception, lambda units, top: None)
    with h5py.File(path, "r+") as file:
        del file["batch_normalization_201/batch_normalization_201/beta:0"]
    with pytest.raises(UsageError, match=r"has no 'conv/offset'.* belongs to another network, or is incomplete"):
        weights.load(path)


@pytest.mark.parametrize("kind", ["h5", "pb", "checkpoint"])
def test_a_truncated_file_is_refused(kind, keras_inception, graph_2015, tmp_path):
    path = tmp_path / f"cut.{kind}"
    if kind == "h5":
        write_published(path, keras_inception.units)
        data = path.read_bytes()
    elif kind == "pb":
        data = pathlib.Path(graph_2015[0]).read_bytes()
    else:
        tf.train.Checkpoint(x=tf.Variable(tf.random.normal([1000]))).write(str(path))
        path = tmp_path / "cut.checkpoint.data-00000-of-00001"
        data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UsageError, match=r"is not a complete (HDF5 file|GraphDef|checkpoint)"):
        weights.load(str(tmp_path / f"cut.{kind}"))


@pytest.mark.parametrize("name", ["nowhere", "nowhere.h5", "nowhere.pb"])
def test_weights_that_are_not_there_are_named(name, tmp_path):
    with pytest.raises(UsageError, match=r"nowhere.*must be one of 2015, keras"):
        weights.load(str(tmp_path / name))


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "other"))
    with pytest.raises(UsageError, match=r"other is not a checkpoint of TF-Slim's Inception-v3"):
        weights.load(path)


def test_published_archives_are_unpacked_and_nothing_leaves_the_folder(tmp_path, slim_checkpoint):
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "evil.txt").write_text("x")
    with tarfile.open(data / "inception_v3_2016_08_28.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(tmp_path / "evil.txt", "../outside.txt")
        tar.add(slim_checkpoint, "inception_v3.ckpt")
    assert weights.load("slim", str(data)).network.classes == 1001
    assert sorted(p.name for p in data.iterdir()) == ["inception_v3.ckpt", "inception_v3_2016_08_28.tar.gz"]
    assert not (tmp_path / "outside.txt").exists()


def test_an_archive_that_is_none_is_refused(tmp_path):
    (tmp_path / "inception-2015-12-05.tgz").write_text("<html>quota exceeded</html>")
    with pytest.raises(UsageError, match=r"inception-2015-12-05.tgz is not a complete tar archive; download it again"):
        weights.load("2015", str(tmp_path))


def test_published_files_are_found_without_the_network(tmp_path, graph_2015, monkeypatch):
    monkeypatch.setattr(weights.download, "fetch", lambda *a: pytest.fail("asked the network"))
    shutil.copy(graph_2015[0], tmp_path)
    assert weights.load("2015", str(tmp_path)).network.classes == 1008


def test_offline_one_sentence_says_what_to_fetch_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tf2cases.data.tfds.unreachable", lambda url: "no route")
    with pytest.raises(
        UsageError,
        match=r"^https://.*/inception_v3_weights_tf_dim_ordering_tf_kernels.h5 cannot be reached \(no route\); "
        r"download it elsewhere and put it at .*tf_kernels.h5\. --weights_dir selects the folder\.$",
    ):
        weights.load("keras", str(tmp_path))
