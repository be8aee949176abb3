"""The programs: `python -m bin` lists them, `python -m bin.NAME --help` explains one."""

import sys

from tf2cases import quiet

if sys.argv[0] == "-m":  # this is how Python starts `python -m bin.NAME`; other importers are not guarded
    quiet.guard_start()
