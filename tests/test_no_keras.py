"""What the source may import: no Keras, and each part only the parts below it. Read from the syntax trees."""

import ast
import pathlib
import sys

import pytest

REPO = pathlib.Path(__file__).resolve().parent.parent
SOURCES = sorted([*REPO.glob("tf2cases/**/*.py"), *REPO.glob("bin/**/*.py")])
# Their comparison is with Keras.
MAY_USE_KERAS = {"bin/benchmark.py", "bin/benchmark_inception.py"}

# bin -> serving -> cases -> training -> nn, data, viz; and wordcloud, which is no case.
PARTS = ("nn", "data", "viz", "training", "cases", "serving", "wordcloud")
BELOW = {
    "nn": set(),
    "data": set(),
    "viz": set(),
    "wordcloud": {"data", "viz"},
    "training": {"nn", "data", "viz"},
    "cases": {"nn", "data", "viz", "training"},
    "serving": {"nn", "data", "viz", "training", "cases"},
}


def dotted(node):
    """`a.b.c` of a chain of attributes, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (start := dotted(node.value)):
        return f"{start}.{node.attr}"
    return None


def imports(tree, package):
    """The absolute names of all that a module imports, anywhere in it; `package` is a tuple, its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and (dotted(node.func) or "").split(".")[-1] in ("import_module", "__import__"):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def imported_by(path):
    package = path.relative_to(REPO).with_suffix("").parts[:-1]
    return set(imports(ast.parse(path.read_text()), package))


def uses_of_keras(source):
    """What of Keras a source imports or touches, as a list of words."""
    tree = ast.parse(source)
    words = [name for name in imports(tree, ()) if {"keras", "tf_keras"} & set(name.split("."))]
    # `tf.keras` however it is reached, `tf.compat.v1.keras` and `getattr(tf, "keras")` too.
    words += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "keras"]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and dotted(node.func) == "getattr"]
    words += [a.value for call in calls for a in call.args if isinstance(a, ast.Constant) and a.value == "keras"]
    return words


def relative(paths):
    return [str(path.relative_to(REPO)) for path in paths]


@pytest.mark.parametrize("path", SOURCES, ids=relative(SOURCES))
def test_source_does_not_use_keras(path):
    if str(path.relative_to(REPO)) not in MAY_USE_KERAS:
        assert not uses_of_keras(path.read_text())


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


def part_of(name):
    """Which part of the package a dotted name belongs to, or None."""
    words = name.split(".")
    return words[1] if words[0] == "tf2cases" and len(words) > 1 and words[1] in PARTS else None


@pytest.mark.parametrize("path", SOURCES, ids=relative(SOURCES))
def test_imports_point_down(path):
    words = path.relative_to(REPO).with_suffix("").parts
    names = imported_by(path)
    if words[0] == "bin":
        return
    assert not [name for name in names if name.split(".")[0] in ("bin", "tests")]
    own = words[1]
    if own in PARTS:
        above = {part_of(name) for name in names} - BELOW[own] - {own, None}
        assert not above, f"{own} imports {sorted(above)}"
    else:
        # tf2cases/__init__.py and tf2cases/errors.py stand below everything.
        assert not {part_of(name) for name in names} - {None}


def test_every_part_is_known():
    folders = {path.parent.name for path in REPO.glob("tf2cases/*/__init__.py")}
    assert folders <= set(PARTS)
    assert {"nn", "data", "training", "cases"} <= folders


def test_nn_imports_tensorflow_only():
    for path in REPO.glob("tf2cases/nn/**/*.py"):
        for name in imported_by(path):
            top = name.split(".")[0]
            allowed = top in sys.stdlib_module_names or top == "tensorflow"
            inside = name == "tf2cases" or part_of(name) == "nn" or name.startswith("tf2cases.errors")
            assert allowed or inside, f"{path.name} imports {name}"


def test_relative_imports_are_resolved():
    tree = ast.parse("from . import layers\nfrom ..data import idx\nfrom .. import serving")
    assert set(imports(tree, ("tf2cases", "nn"))) >= {"tf2cases.nn.layers", "tf2cases.data.idx", "tf2cases.serving"}
