"""Running a program in the test's own process."""

from types import ModuleType

import pytest

from tf2cases.programs import program


def exit_status(module: ModuleType, *arguments: object) -> int:
    """The exit status of a program called with these arguments."""
    name = module.__name__.split(".")[-1]
    with pytest.raises(SystemExit) as exit_:
        program.run(module, [f"{name}.py", *map(str, arguments)])
    return exit_.value.code or 0
