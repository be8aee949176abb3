"""The server and the exports of other folders' tests, which the tests of the client ask."""

import pathlib
import sys

for folder in ("server", "serving"):
    place = str(pathlib.Path(__file__).resolve().parents[2] / folder)
    if place not in sys.path:
        sys.path.append(place)
