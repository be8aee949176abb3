"""Launcher of `tf2cases.programs.export`."""

from tf2cases.programs import export, program

if __name__ == "__main__":
    program.run(export)
