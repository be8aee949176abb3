"""Every public function and method says what it takes and returns; that it is true, mypy checks in `.ci/run`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for room in ("tf2cases", "bin") for path in (ROOT / room).rglob("*.py"))


def public_functions(body):
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name.endswith("__")):
            yield node


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_have_type_hints(path):
    missing = []
    for function in public_functions(ast.parse(path.read_text(encoding="utf-8")).body):
        given = function.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        bare = [a.arg for a in arguments if a and a.annotation is None and a.arg not in ("self", "cls")]
        bare += ["the result"] if function.returns is None and function.name != "__init__" else []
        missing += [f"line {function.lineno}, {function.name}: {name}" for name in bare]
    assert missing == []
