"""The programs: `python -m bin.NAME --help`."""
