"""Launcher of `tf2cases.programs.export_inception`."""

from tf2cases.programs import export_inception, program

if __name__ == "__main__":
    program.run(export_inception)
