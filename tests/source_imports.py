"""What the source files import, read from their syntax trees."""

import ast
import pathlib
from collections.abc import Iterator

REPO = pathlib.Path(__file__).resolve().parent.parent
SOURCES = sorted([*REPO.glob("tf2cases/**/*.py"), *REPO.glob("bin/**/*.py")])


def module_name(path: pathlib.Path) -> str:
    """The dotted name of a source file; that of a package for its `__init__.py`."""
    words = path.relative_to(REPO).with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def dotted(node: ast.AST) -> str | None:
    """`a.b.c` of a chain of attributes, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (start := dotted(node.value)):
        return f"{start}.{node.attr}"
    return None


def imports(tree: ast.AST, package: tuple[str, ...] = (), at_import: bool = False) -> Iterator[str]:
    """The absolute names of all that a module imports.

    Args:
      tree: of the module.
      package: the words of its package's name.
      at_import: whether only what runs when the module itself is imported counts, and not function bodies or what is
        there for type checkers.
    """
    for node in executed(tree) if at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and (dotted(node.func) or "").split(".")[-1] in ("import_module", "__import__"):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported."""
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    if isinstance(node, ast.If) and (dotted(node.test) or "").split(".")[-1] == "TYPE_CHECKING":
        return
    for child in ast.iter_child_nodes(node):
        yield from executed(child)


def imported_by(path: pathlib.Path, at_import: bool = False) -> set[str]:
    """The names that a source file imports, see `imports`."""
    package = path.relative_to(REPO).parts[:-1]
    return set(imports(ast.parse(path.read_text()), package, at_import))
