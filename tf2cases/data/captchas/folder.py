"""Folders and tar archives of labelled pictures: the label of `0123.png` and `0123-00007.png` is 0123.

Whatever made them, the label is the name of the file up to the first `-` or the extension.
"""

import collections
import contextlib
import dataclasses
import io
import json
import os
import tarfile
import unicodedata
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from tf2cases.data.captchas import text as captcha_text
from tf2cases.data.captchas.text import Charset
from tf2cases.data.pictures import dataset as picture_set
from tf2cases.data.pictures.files import MAX_PIXELS
from tf2cases.data.pictures.folder import MAX_FILE_BYTES, is_hidden
from tf2cases.data.source import Source
from tf2cases.errors import UsageError

MANIFEST = "manifest.json"
CONTACT_SHEET = "contact_sheet.png"  # in a folder of captchas, but not one of them
_KIND = "captchas"  # tells our manifest from those of others
_EXTENSIONS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")  # some others start external programs


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """The pictures of a folder, in the order of their base names.

    Attributes:
      names: [N] base names.
      images: uint8 [N, height, width, 1], grey.
      labels: uint8 [N, length], the characters' classes.
      charset: the `Charset`.
      skipped: [(path, why)] of the pictures that could not be read.
    """

    names: list
    images: np.ndarray
    labels: np.ndarray
    charset: Charset
    skipped: list


def file_name(text, index):
    """LABEL-NNNNN.png; the number keeps names apart, also where upper and lower case are the same."""
    return f"{text}-{index:05d}.png"


def label_of(name):
    """The label in a file's name: up to the first `-` or the extension."""
    stem = os.path.splitext(os.path.basename(name))[0]
    return unicodedata.normalize("NFC", stem.partition("-")[0])


def is_held_out(name):
    """Whether a picture belongs to the held-out tenth.

    Told as `picture_set.is_held_out` does, but by its base name, with extension: a property of the file alone,
    whatever else is in the folder and wherever that is.
    """
    return picture_set.is_held_out(os.path.basename(name))


def write_manifest(folder, kind, count, complete, versions):
    """Writes the manifest of a folder of captchas, by rename.

    Args:
      folder: where to.
      kind: `captcha_pictures.Kind`.
      count: how many pictures there are when it is complete.
      complete: whether they all are there.
      versions: {package: version} of what drew them.
    """
    manifest = {
        "kind": _KIND,
        "charset": kind.characters,
        "length": kind.length,
        "width": kind.width,
        "height": kind.height,
        "seed": kind.seed,
        "count": count,
        "complete": complete,
        "versions": versions,
    }
    partial = os.path.join(folder, f".{MANIFEST}.partial")
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2, ensure_ascii=False)
        file.write("\n")
    os.replace(partial, os.path.join(folder, MANIFEST))


def parse_manifest(data, path):
    """A manifest's bytes to a dict; None if it is not a manifest of captchas but somebody else's.

    Raises:
      UsageError: it is one, but damaged.
    """
    try:
        manifest = json.loads(data)
    except ValueError:
        return None
    if not isinstance(manifest, dict) or manifest.get("kind") != _KIND:
        return None
    wanted = {"charset": str, "length": int, "width": int, "height": int, "seed": int, "count": int, "complete": bool}
    for name, of in wanted.items():
        if type(manifest.get(name)) is not of:
            raise UsageError(f"{path}: {name!r} is {manifest.get(name)!r}, but must be of type {of.__name__}.")
    return manifest


def load(path, charset=None, length=None, width=None, height=None, max_bad_images=0):
    """Loads a folder or archive as a data set: a tenth is held out for testing (see `is_held_out`).

    Args:
      path, charset, length, width, height, max_bad_images: see `read`.

    Returns:
      Source with "images" uint8 [N, height, width, 1] and "labels" uint8 [N, length]; `info` has image_shape, charset
      (the characters) and length.

    Raises:
      UsageError: as `read`, or there are so few pictures that a split is empty.
    """
    pictures = read(path, charset, length, width, height, max_bad_images)
    held_out = np.array([is_held_out(name) for name in pictures.names])
    if held_out.all() or not held_out.any():
        raise UsageError(
            f"{path} has {len(held_out)} pictures, of which {held_out.sum()} are held out for testing by the hash of "
            "their names: expected more pictures, so that there are some for training and some for testing."
        )
    rows = {"train": ~held_out, "test": held_out}
    splits = {name: {"images": pictures.images[r], "labels": pictures.labels[r]} for name, r in rows.items()}
    return Source("captcha_folder", splits, info(pictures.images, pictures.labels, pictures.charset))


def info(images, labels, charset):
    """What a model keeps of a set of captchas."""
    return {"image_shape": list(images.shape[1:]), "charset": charset.characters, "length": labels.shape[1]}


def read(path, charset=None, length=None, width=None, height=None, max_bad_images=0):
    """Reads all labelled pictures of a folder, flat or nested, or of an uncompressed tar archive, without unpacking it.

    Hidden files, contact sheets and what has no picture's extension are passed over. A picture of another size is
    resized (bilinear, antialiased), a transparent one laid on white.

    Args:
      path: the folder or archive.
      charset: name or characters (see `Charset`); by default the manifest's, else inferred from the labels.
      length: characters a label; by default the manifest's, else the commonest.
      width, height: of the result; by default the manifest's, else those of the first picture.
      max_bad_images: how many unreadable pictures are skipped before that is an error.

    Returns:
      `Labelled`.

    Raises:
      UsageError: nothing there, no pictures, a label with another length or character, too many unreadable pictures.
    """
    path = os.path.expanduser(path)
    with _open(path) as (files, manifest):
        charset, length, classes = _labels(path, [name for name, _ in files], charset, length, manifest)
        size = (width or manifest.get("width"), height or manifest.get("height"))
        images, good, skipped = None, [], []
        bar = tqdm(files, desc="Reading pictures", unit="picture", disable=None, leave=False)
        for i, (name, read_bytes) in enumerate(bar):
            try:
                picture = decode(read_bytes(), size)
            except (ValueError, OSError) as error:
                why = "not a picture" if isinstance(error, UnidentifiedImageError) else str(error)
                why = getattr(error, "strerror", None) or why
                skipped.append((name, why))
                if len(skipped) > max_bad_images:
                    raise UsageError(
                        f"{path} has {len(skipped)} unreadable pictures, the last {name} ({why}), but at most "
                        f"--max_bad_images={max_bad_images} are skipped."
                    ) from error
                continue
            if images is None:
                size = picture.shape[1::-1]
                images = np.empty([len(files), *picture.shape, 1], np.uint8)
            images[len(good), ..., 0] = picture
            good.append(i)
    if not good:
        raise UsageError(f"{path} has no readable picture: expected some, named like 0123.png.")
    if skipped:
        print(
            f"Skipped {len(skipped)} unreadable of {len(files)} pictures, the first {skipped[0][0]}: {skipped[0][1]}."
        )
    names = [os.path.basename(files[i][0]) for i in good]
    return Labelled(names, images[: len(good)], classes[good], charset, skipped)


def decode(data, size=(None, None)):
    """One encoded picture to grey.

    Args:
      data: bytes of a PNG, JPEG, GIF, BMP, WebP or TIFF file.
      size: (width, height) of the result; the picture's own where None.

    Returns:
      uint8 [height, width], see `captcha_pictures.to_grey`.

    Raises:
      ValueError: not a picture, cut short, of several frames, or of more than 50 megapixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters becomes an error
        try:
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels are more than 50 megapixels")
            image.load()
            if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
                raise ValueError(f"it has {image.n_frames} frames")
            image = _grey(ImageOps.exif_transpose(image))
        except ValueError:
            raise
        except Exception as error:  # Pillow raises nearly anything for damaged files
            raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    size = (size[0] or image.width, size[1] or image.height)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image)


def _grey(image):
    if image.mode == "L":
        return image
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        return Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert("RGB").convert("L")


@contextlib.contextmanager
def _open(path):
    """Gives [(name, a function that returns the bytes)], by base name, and the manifest or {}."""
    if os.path.isdir(path):
        yield _listed(path, _in_folder(path))
    elif os.path.isfile(path):
        try:
            archive = tarfile.open(path, "r:")
        except (tarfile.TarError, OSError) as error:
            raise UsageError(f"{path} is not a tar archive ({error}): expected a folder or a plain .tar.") from error
        with archive:
            try:
                files = _in_archive(archive)
            except (tarfile.TarError, OSError) as error:
                raise UsageError(f"{path} is damaged ({error}): expected a whole tar archive.") from error
            yield _listed(path, files)
    else:
        raise UsageError(f"{path} does not exist: expected a folder or a .tar of pictures named like 0123.png.")


def _listed(path, files):
    pictures = {name: read_bytes for name, read_bytes in files.items() if _is_picture(name)}
    if not pictures:
        raise UsageError(f"{path} has no pictures: expected some, named like 0123.png or 0123-00007.png.")
    # At the top, or beside the pictures: archives often hold one folder.
    beside = (MANIFEST, f"{os.path.dirname(min(pictures))}/{MANIFEST}")
    name = next((name for name in beside if name in files), None)
    manifest = {}
    if name:
        try:
            manifest = parse_manifest(files[name](), f"{path}: {name}") or {}
        except OSError as error:
            raise UsageError(f"{path}: {name} cannot be read ({error}).") from error
    if manifest and not manifest["complete"]:
        print(f"{path} is incomplete, as {name} says: {len(pictures):,} of {manifest['count']:,} captchas are there.")
    return sorted(pictures.items(), key=lambda item: (os.path.basename(item[0]), item[0])), manifest


def _is_picture(name):
    base = os.path.basename(name)
    return base.lower().endswith(_EXTENSIONS) and not is_hidden(name) and base != CONTACT_SHEET


def _in_folder(path):
    def reader(file):
        def read_bytes():
            with open(file, "rb") as opened:
                return opened.read()

        return read_bytes

    found = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    return {os.path.relpath(file, path).replace(os.sep, "/"): reader(file) for file in found}


def _in_archive(archive):
    # Nothing is unpacked, so no path of the archive is ever used as one; links are not followed.
    def reader(member):
        def read_bytes():
            if not member.isreg():
                raise OSError("it is a link or a device")
            if member.size > MAX_FILE_BYTES:
                raise OSError(f"it has {member.size} bytes")
            try:
                return archive.extractfile(member).read()
            except tarfile.TarError as error:
                raise OSError(str(error)) from error

        return read_bytes

    return {member.name: reader(member) for member in archive if not member.isdir()}


def _labels(path, names, charset, length, manifest):
    """The charset, the length, and classes uint8 [N, length] of all files."""
    texts = [label_of(name) for name in names]
    paths = [os.path.join(path, name) for name in names]
    if length is None:
        commonest = collections.Counter(len(text) for text in texts if text).most_common(1)
        length = manifest.get("length") or (commonest[0][0] if commonest else 1)
    captcha_text.check_length(length)
    charset = charset or manifest.get("charset")
    if charset:
        charset = Charset(charset)
    else:
        for text, file in zip(texts, paths, strict=True):
            captcha_text.check_label(text, file)
        charset = captcha_text.infer(texts)
    classes = [charset.encode(text, length, file) for text, file in zip(texts, paths, strict=True)]
    return charset, length, np.stack(classes)
