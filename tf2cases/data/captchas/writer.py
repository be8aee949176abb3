"""Folders of captchas as PNG files, made from a seed."""

import importlib.metadata
import os
import re

from tqdm import tqdm

from tf2cases.data.captchas import drawing as captcha_pictures
from tf2cases.data.captchas import folder as captcha_folder
from tf2cases.data.captchas.folder import CONTACT_SHEET, MANIFEST
from tf2cases.data.captchas.workers import Workers
from tf2cases.errors import RunError, UsageError


def versions():
    """{package: version} of what the pictures depend on besides their seed."""
    return {name: importlib.metadata.version(name) for name in ("captcha", "pillow")}


def prepare(folder, overwrite):
    """Makes the folder, and sees that it is empty.

    Args:
      folder: the folder.
      overwrite: remove the captchas, manifest and contact sheet of an earlier run; other files stay.

    Raises:
      UsageError: it is a file; it has files and `overwrite` is False; or a file that is not ours is in the way.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise UsageError(f"--out={folder} is a file, but must be a folder.")
    os.makedirs(folder, exist_ok=True)
    names = os.listdir(folder)
    if not names:
        return
    if not overwrite:
        raise UsageError(
            f"--out={folder} has {len(names)} files, but must be empty or new; --overwrite replaces captchas made "
            "before."
        )
    for name in _ours(folder, names):
        os.remove(os.path.join(folder, name))


def _ours(folder, names):
    """The names of what an earlier run wrote."""
    manifest = None
    if MANIFEST in names:
        path = os.path.join(folder, MANIFEST)
        with open(path, "rb") as file:
            manifest = captcha_folder.parse_manifest(file.read(), path)
    if not manifest:
        for name in (MANIFEST, CONTACT_SHEET):
            if name in names:
                raise UsageError(f"--out={folder} has a file {name} that was not made here: expected another folder.")
        return []
    characters = f"[{re.escape(manifest['charset'])}]{{{manifest['length']}}}"
    captcha = re.compile(rf"{characters}-\d{{5,}}\.png|\.{characters}-\d{{5,}}\.png\.partial")
    others = (CONTACT_SHEET, f".{MANIFEST}.partial")
    # The manifest last: if this is interrupted, the next run still knows what is ours.
    return [name for name in names if captcha.fullmatch(name) or name in others] + [MANIFEST]


def write(folder, kind, count, workers):
    """Draws `count` captchas into a folder that `prepare` has seen, with a manifest that calls it incomplete.

    Every file appears by rename, so whatever stops this, the files that are there are whole.

    Args:
      folder: where to.
      kind: `captcha_pictures.Kind`.
      count: how many.
      workers: processes.

    Returns:
      The paths, in the order of the pictures.

    Raises:
      UsageError: the kind cannot be drawn (see `captcha_pictures.check`), or `workers` is below 1.
      RunError: the disk is full or failing, or a worker is.
    """
    captcha_pictures.check(kind)
    paths = []
    partial = None
    try:
        captcha_folder.write_manifest(folder, kind, count, False, versions())
        with Workers(workers) as pool, tqdm(total=count, unit="picture", disable=None, dynamic_ncols=True) as bar:
            for index, (text, png) in enumerate(pool.draw(kind, 0, count, "png")):
                name = captcha_folder.file_name(text, index)
                path, partial = os.path.join(folder, name), os.path.join(folder, f".{name}.partial")
                with open(partial, "wb") as file:
                    file.write(png)
                os.replace(partial, path)
                paths.append(path)
                bar.update()
    except OSError as error:
        if partial and os.path.exists(partial):
            os.remove(partial)
        raise RunError(
            f"--out={folder}: writing stopped after {len(paths)} of {count} captchas ({error.strerror or error}); "
            f'those are whole, and {MANIFEST} says "complete": false.'
        ) from error
    return paths


def finish(folder, kind, count):
    """Says in the manifest that all is there."""
    captcha_folder.write_manifest(folder, kind, count, True, versions())
