"""Keras is used by the benchmarks only, which measure against it. Read from the syntax trees."""

import ast

import pytest
from source_imports import REPO, SOURCES, dotted, imports

BENCHMARKS = REPO / "tf2cases" / "benchmarks"


def uses_of_keras(source):
    """What of Keras a source imports or touches, as a list of words."""
    tree = ast.parse(source)
    words = [name for name in imports(tree) if {"keras", "tf_keras"} & set(name.split("."))]
    # `tf.keras` however it is reached, `tf.compat.v1.keras` and `getattr(tf, "keras")` too.
    words += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "keras"]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and dotted(node.func) == "getattr"]
    words += [a.value for call in calls for a in call.args if isinstance(a, ast.Constant) and a.value == "keras"]
    return words


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(REPO)) for path in SOURCES])
def test_source_does_not_use_keras(path):
    if BENCHMARKS not in path.parents:
        assert not uses_of_keras(path.read_text())


def test_the_benchmarks_use_keras():
    assert any(uses_of_keras(path.read_text()) for path in BENCHMARKS.glob("*.py"))


@pytest.mark.parametrize(
    "source",
    [
        "import keras",
        "import keras.layers as kl",
        "from keras import layers",
        "from tensorflow import keras",
        "from tensorflow.keras.layers import Dense",
        "import tf_keras",
        "def f():\n    return tf.keras.layers.Dense(3)",
        "x = tensorflow.compat.v2.keras",
        "importlib.import_module('keras')",
        "getattr(tf, 'keras')",
    ],
)
def test_a_use_of_keras_is_found(source):
    assert uses_of_keras(source)


def test_keras_in_words_only_is_no_use():
    assert not uses_of_keras(
        '"""As Keras does it, unlike tf.keras."""\nkeras_like = 1  # keras\nweights = ("slim", "keras")'
    )
