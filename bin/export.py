"""Launcher of `tf2cases.programs.export`."""

from tf2cases.programs import common, export

if __name__ == "__main__":
    common.run(export.__doc__, export.define, export.main)
