"""Inception-v3 as others have it, made once: it takes seconds."""

import types

import inception_referee as referee
import pytest


@pytest.fixture(scope="session")
def keras_inception():
    """Keras' model, two pictures [2, 299, 299, 3] in [0, 1], and Keras' features and logits of them."""
    import keras

    model = referee.make_keras_model()
    pictures = referee.smooth_pictures(2, seed=1)
    both = keras.Model(model.input, [model.get_layer("avg_pool").output, model.output])
    features, logits = both(2 * pictures - 1, training=False)
    return types.SimpleNamespace(
        model=model, units=referee.units(model), pictures=pictures, features=features.numpy(), logits=logits.numpy()
    )


@pytest.fixture(scope="session")
def graph_2015(keras_inception, tmp_path_factory):
    """(path of a frozen graph of 2015 with 1,008 classes, its GraphDef)."""
    graph_def = referee.GraphOf2015(keras_inception.units).graph_def
    path = tmp_path_factory.mktemp("graph") / "classify_image_graph_def.pb"
    path.write_bytes(graph_def.SerializeToString())
    return str(path), graph_def
