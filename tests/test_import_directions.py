"""Which room of the house imports which, and what may be imported without TensorFlow. Read from the syntax trees."""

import ast
import sys

import pytest
from source_imports import REPO, SOURCES, imported_by, imports, module_name

# Exactly the imports that there are: room -> the rooms it imports. A missing or a further one fails.
ARROWS = {
    "bin": {"programs", "serving", "cases", "data", "configs", "files", "errors", "quiet"},
    "programs": {
        "benchmarks",
        "playground",
        "server",
        "serving",
        "evaluation",
        "cases",
        "inception_v3",
        "training",
        "wordcloud",
        "data",
        "viz",
        "configs",
        "files",
        "errors",
        "quiet",
    },
    "benchmarks": {
        "serving",
        "cases",
        "inception_v3",
        "training",
        "wordcloud",
        "nn",
        "data",
        "configs",
        "files",
        "errors",
        "quiet",
    },
    "playground": {"serving", "errors"},
    "server": {"files", "errors"},
    "serving": {"files", "errors"},
    "evaluation": {"cases", "inception_v3", "training", "nn", "data", "viz", "configs", "files", "errors"},
    "cases": {"inception_v3", "training", "nn", "data", "viz", "configs", "errors"},
    "inception_v3": {"nn", "data", "configs", "files", "errors"},
    "training": {"nn", "data", "viz", "configs", "files", "errors"},
    "wordcloud": {"data", "files", "errors"},
    "nn": set(),
    "data": {"configs", "files", "errors"},
    "viz": {"wordcloud", "files"},
    "configs": {"files", "errors"},
    "files": {"errors"},
    "errors": set(),
    "quiet": set(),
}
# They are imported without TensorFlow, and so is all that they import; inside functions they may use it.
WITHOUT_TENSORFLOW = (
    "bin",
    "programs",
    "playground",
    "benchmarks",
    "wordcloud",
    "viz",
    "configs",
    "files",
    "errors",
    "quiet",
)

MODULES = {module_name(path): path for path in SOURCES}


def room_of(name):
    """The room that a dotted name belongs to; None outside of the house, and for what stands at its door."""
    words = name.split(".")
    if words[0] == "bin":
        return "bin"
    return words[1] if words[0] == "tf2cases" and len(words) > 1 and words[1] in ARROWS else None


def modules_of(room):
    return [name for name in MODULES if room_of(name) == room]


def modules_in(name):
    """The modules that are imported with a dotted name: each package on the way, and the module itself."""
    words = name.split(".")
    return {".".join(words[:i]) for i in range(1, len(words) + 1)} & MODULES.keys()


def test_every_room_is_known():
    inside = {path.name.removesuffix(".py") for path in (REPO / "tf2cases").iterdir()}
    assert inside - {"__init__", "__pycache__", "py.typed"} == ARROWS.keys() - {"bin"}


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_exactly_what_is_stated(room):
    found = {room_of(name) for module in modules_of(room) for name in imported_by(MODULES[module])}
    assert found - {room, None} == ARROWS[room]


def test_no_room_imports_itself_through_others():
    reached = {room: set(arrows) for room, arrows in ARROWS.items()}
    for _ in ARROWS:
        reached = {room: arrows.union(*(reached[other] for other in arrows)) for room, arrows in reached.items()}
    assert not [room for room, arrows in reached.items() if room in arrows]


def test_the_package_imports_neither_its_launchers_nor_its_tests():
    for module, path in MODULES.items():
        if room_of(module) != "bin":
            outside = {name.split(".")[0] for name in imported_by(path)} & {"bin", "tests"}
            assert not outside, f"{module} imports {outside}"


@pytest.mark.parametrize("room", WITHOUT_TENSORFLOW)
def test_a_room_is_imported_without_tensorflow(room):
    waiting = modules_of(room)
    importers = dict.fromkeys(waiting, "nothing")
    while waiting:
        module = waiting.pop()
        for name in imported_by(MODULES[module], at_import=True):
            top = name.split(".")[0]
            assert top not in ("tensorflow", "keras"), f"{module}, imported by {importers[module]}, imports {top}"
            for other in modules_in(name) - importers.keys():
                importers[other] = module
                waiting.append(other)


def test_nn_imports_tensorflow_only():
    for module in modules_of("nn"):
        for name in imported_by(MODULES[module]):
            allowed = {"tensorflow", *sys.stdlib_module_names}
            inside = name == "tf2cases" or room_of(name) in ("nn", "errors")
            assert inside or name.split(".")[0] in allowed, f"{module} imports {name}"


def test_relative_imports_are_resolved():
    tree = ast.parse("from . import layers\nfrom ..data import idx\nfrom .. import serving")
    assert set(imports(tree, ("tf2cases", "nn"))) >= {"tf2cases.nn.layers", "tf2cases.data.idx", "tf2cases.serving"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import tensorflow", True),
        ("try:\n    import tensorflow\nexcept ImportError:\n    pass", True),
        ("class A:\n    import tensorflow", True),
        ("def f():\n    import tensorflow", False),
        ("if TYPE_CHECKING:\n    import tensorflow", False),
        ("if typing.TYPE_CHECKING:\n    import tensorflow", False),
    ],
)
def test_what_runs_at_import_is_told_from_what_does_not(source, found):
    assert ("tensorflow" in set(imports(ast.parse(source), at_import=True))) == found
