"""Folders of captchas as PNG files, made from a seed."""

import os
import re

from tqdm import tqdm

from tf2cases import files
from tf2cases.data.captchas import manifest
from tf2cases.data.captchas.drawing import Kind
from tf2cases.data.captchas.folder import file_name
from tf2cases.data.captchas.listing import CONTACT_SHEET
from tf2cases.data.captchas.workers import Workers
from tf2cases.errors import RunError, UsageError


def contact_sheet(folder: str) -> str:
    """The path of a folder's contact sheet: beside it, so that FOLDER/*.png are captchas only."""
    return f"{os.path.abspath(folder)}_{CONTACT_SHEET}"


def prepare(folder: str, overwrite: bool) -> None:
    """Creates the folder if missing, and checks that it is empty.

    Args:
      folder: the folder.
      overwrite: whether to remove the captchas and manifest of an earlier run, and an older version's contact sheet in
        the folder; other files stay.

    Raises:
      UsageError: it is a file; `overwrite` is False, and it has files or there is a contact sheet beside it; or it has
        a manifest that an earlier run did not write.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise UsageError(f"--out={folder} is a file, but must be a folder.")
    names: list[str] = []
    if os.path.isdir(folder):
        files.sweep(folder)
        names = os.listdir(folder)
    if names and not overwrite:
        raise UsageError(
            f"--out={folder} has {len(names):,} file{'s'[: len(names) != 1]}, but must be empty or new; --overwrite "
            "replaces the captchas of an earlier run."
        )
    sheet = contact_sheet(folder)
    if os.path.exists(sheet) and not overwrite:
        raise UsageError(
            f"--out={folder} would get the contact sheet {os.path.relpath(sheet)}, which exists; --overwrite replaces "
            "it."
        )
    if os.path.isdir(os.path.dirname(sheet)):
        files.check_target(f"--out={folder}: the contact sheet", os.path.relpath(sheet))
    os.makedirs(folder, exist_ok=True)
    for name in _ours(folder, names) if names else []:
        os.remove(os.path.join(folder, name))


def _ours(folder: str, names: list[str]) -> list[str]:
    """The names of the files that an earlier run wrote."""
    made = None
    if manifest.NAME in names:
        path = os.path.join(folder, manifest.NAME)
        made = manifest.parse(files.read_bytes(path, files.MAX_JSON), path)
    if not made:
        if manifest.NAME in names:
            raise UsageError(
                f"--out={folder} has a file {manifest.NAME} that was not written by this program: expected another "
                "folder."
            )
        return []
    captcha = re.compile(rf"[{re.escape(made['charset'])}]{{{made['length']}}}-\d{{5,}}\.png")
    # The manifest comes last, so that after an interruption the next run still recognises these files.
    return [name for name in names if captcha.fullmatch(name) or name == CONTACT_SHEET] + [manifest.NAME]


def write(folder: str, kind: Kind, count: int, workers: int) -> list[str]:
    """Draws `count` captchas into a folder that `prepare` has checked, with a manifest that marks it as incomplete.

    Even if this is interrupted, every file in the folder is complete.

    Args:
      folder: the folder.
      kind: from `generated.make_kind`.
      count: how many captchas.
      workers: how many processes.

    Returns:
      The paths, in the order of the pictures.

    Raises:
      RunError: the disk is full or failing, or a worker failed.
    """
    paths = []
    try:
        manifest.write(folder, kind, count, False)
        with Workers(workers) as pool, tqdm(total=count, unit="picture", disable=None, dynamic_ncols=True) as bar:
            for index, (text, png) in enumerate(pool.draw(kind, 0, count, "png")):
                path = os.path.join(folder, file_name(text, index))
                with files.replacing(path, durable=False) as file:
                    file.write(png)
                paths.append(path)
                bar.update()
    except OSError as error:
        raise RunError(
            f"--out={folder}: writing stopped after {len(paths)} of {count} captchas ({files.reason(error)}); "
            f'those are intact, and {manifest.NAME} says "complete": false.'
        ) from error
    return paths


def finish(folder: str, kind: Kind, count: int) -> None:
    """Marks the folder as complete in its manifest."""
    manifest.write(folder, kind, count, True)
