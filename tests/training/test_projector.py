"""The files of TensorBoard's embedding projector, read as TensorBoard reads them."""

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from tf2cases.training import projector


def write(folder, count, height=4, width=6, channels=1):
    """Point i is (i, -i), called `name i`, with a thumbnail of grey i."""
    vectors = np.arange(count, dtype=np.float32)[:, None] * np.float32([1, -1])
    pictures = np.broadcast_to(np.arange(count)[:, None, None, None] % 256, [count, height, width, channels])
    projector.write(str(folder), vectors, [f"name {i}" for i in range(count)], pictures.astype(np.uint8))
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    return embedding


def test_the_config_names_the_files_and_the_size_of_a_thumbnail(tmp_path):
    embedding = write(tmp_path, 7)
    files = {embedding.tensor_path, embedding.metadata_path, embedding.sprite.image_path, "projector_config.pbtxt"}
    assert {file.name for file in tmp_path.iterdir()} == files
    assert list(embedding.sprite.single_image_dim) == [6, 4]  # width, height


def test_vectors_and_labels_have_a_line_for_each_point(tmp_path):
    embedding = write(tmp_path, 7)
    vectors = np.loadtxt(tmp_path / embedding.tensor_path, delimiter="\t")
    np.testing.assert_array_equal(vectors, [[i, -i] for i in range(7)])
    # No header: TensorBoard takes the first line of a single column for a label.
    labels = (tmp_path / embedding.metadata_path).read_text().splitlines()
    assert labels == [f"name {i}" for i in range(7)]


def test_vectors_keep_six_digits(tmp_path):
    vectors = np.float32([[1.234567, -1e-7], [123456.7, 0.5]])
    projector.write(str(tmp_path), vectors, [1, 2], np.zeros([2, 4, 4, 1], np.uint8))
    np.testing.assert_allclose(np.loadtxt(tmp_path / "vectors.tsv", delimiter="\t"), vectors, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sprite_has_the_thumbnails_in_rows_without_gaps(tmp_path, channels):
    embedding = write(tmp_path, 7, channels=channels)
    sprite = np.asarray(Image.open(tmp_path / embedding.sprite.image_path).convert("L"))
    assert sprite.shape == (3 * 4, 3 * 6)  # the least square that holds 7
    for i in range(7):
        row, column = divmod(i, 3)
        assert np.all(sprite[4 * row : 4 * row + 4, 6 * column : 6 * column + 6] == i)
    assert not sprite[8:, 6:].any()


def test_of_more_points_than_the_sprite_holds_the_first_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(projector, "_SPRITE", 20)  # 3 columns of 6, 5 rows of 4
    embedding = write(tmp_path, 40)
    assert Image.open(tmp_path / embedding.sprite.image_path).size == (18, 20)
    assert len(np.loadtxt(tmp_path / embedding.tensor_path, delimiter="\t")) == 15
    assert (tmp_path / embedding.metadata_path).read_text().splitlines() == [f"name {i}" for i in range(15)]


def test_tensorboard_finds_the_embedding_of_a_run(runs, toy, tmp_path):
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin

    class WithPoints(toy):
        def embedding(self, source):
            return np.eye(3, dtype=np.float32), ["a", "b", "c"], np.zeros([3, 4, 4, 1], np.uint8)

    log = runs.train(WithPoints, steps=2).workdir + "/tensorboard"
    multiplexer = EventMultiplexer()
    plugin = ProjectorPlugin(TBContext(logdir=log, multiplexer=multiplexer, data_provider=None))
    plugin._update_configs()
    (config,) = plugin._configs.values()
    assert config.embeddings[0].metadata_path == "labels.tsv"
