"""Launcher of `tf2cases.programs.export_inception`."""

from tf2cases.programs import common, export_inception

if __name__ == "__main__":
    common.run(export_inception.__doc__, export_inception.define, export_inception.main)
