"""Launcher of `tf2cases.programs.check_export`."""

from tf2cases.programs import check_export, program

if __name__ == "__main__":
    program.run(check_export)
