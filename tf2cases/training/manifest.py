"""The manifest of a run: the files and folders that it wrote, so that it never removes or replaces anything else.

It is the file `manifest.txt` in the run's folder, with one path per line, relative to that folder. A path is listed
before it is written. A run is removed by removing config.json first, which one file operation does; whatever the
manifest still lists then belongs to no run, and the next start removes it.
"""

import itertools
import os
import shutil

NAME = "manifest.txt"
_DAMAGED = "damaged_"  # begins the names of damaged files that were set aside


def exists(folder: str) -> bool:
    """Whether a folder has a manifest."""
    return os.path.isfile(os.path.join(folder, NAME))


def listed(folder: str) -> list[str]:
    """The listed paths, relative to the folder, without duplicates; lines that lead out of the folder are ignored."""
    try:
        with open(os.path.join(folder, NAME), encoding="utf-8", errors="surrogateescape") as file:
            lines = dict.fromkeys(file.read().splitlines())
    except FileNotFoundError:
        return []
    return [line for line in lines if line and not os.path.isabs(line) and ".." not in line.split("/")]


def add(folder: str, *names: str) -> str:
    """Lists a path that is about to be written, and returns it.

    Args:
      folder: the run's folder.
      *names: the parts of the path inside the folder.

    Raises:
      OSError: the manifest cannot be written.
    """
    path = os.path.join(*names)
    if path not in listed(folder):
        with open(os.path.join(folder, NAME), "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{path}\n")
    return os.path.join(folder, path)


def own(folder: str, *names: str) -> str:
    """Like `add`, but if there is a file of that name that is not listed, adds -1, -2, ... to the name."""
    known, (stem, ending) = set(listed(folder)), os.path.splitext(os.path.join(*names))
    for number in itertools.count():
        path = f"{stem}-{number}{ending}" if number else f"{stem}{ending}"
        if path in known or not os.path.lexists(os.path.join(folder, path)):
            return add(folder, path)
    raise AssertionError


def remove(folder: str) -> None:
    """Removes everything that is listed, the folders that become empty, and the manifest itself.

    Raises:
      OSError: something could not be removed; it is still listed.
    """
    paths = listed(folder)
    for path in paths:
        inner, name = os.path.split(os.path.join(folder, path))
        for found in (os.path.join(inner, name), os.path.join(inner, f"{_DAMAGED}{name}")):
            if os.path.isdir(found) and not os.path.islink(found):
                shutil.rmtree(found)
            elif os.path.lexists(found):
                os.remove(found)
    for inner in sorted({os.path.dirname(path) for path in paths} - {""}, reverse=True):
        if os.path.isdir(os.path.join(folder, inner)) and not os.listdir(os.path.join(folder, inner)):
            os.rmdir(os.path.join(folder, inner))
    if exists(folder):
        os.remove(os.path.join(folder, NAME))


def foreign(folder: str) -> list[str]:
    """The names in a folder that no run has listed, sorted; hidden ones are not counted."""
    own_names = {NAME} | {path.split("/")[0] for path in listed(folder)}
    return sorted(name for name in os.listdir(folder) if not name.startswith(".") and name not in own_names)
