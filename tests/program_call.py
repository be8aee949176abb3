"""Running a program in the test's own process."""

import pytest

from tf2cases.programs import common


def exit_status(module, *arguments):
    """The exit status of a program called with these arguments."""
    name = module.__name__.split(".")[-1]
    with pytest.raises(SystemExit) as exit_:
        common.run(module.__doc__, module.define, module.main, [f"{name}.py", *map(str, arguments)])
    return exit_.value.code or 0
