"""Downloads of published files, with a progress bar and a checksum; a file is either complete or absent."""

import base64
import hashlib
import os
import re
import urllib.request
from http.client import HTTPMessage

from tqdm import tqdm

from tf2cases import files
from tf2cases.data import preparation, tfds
from tf2cases.errors import RunError, UsageError

_TIMEOUT = 10.0  # seconds without a byte
_CHUNK = 1 << 18


def fetch(url: str, path: str, md5: str | None = None, help: str = "") -> None:
    """Downloads `url` to `path`.

    Args:
      url: the file's address.
      path: the file to write; missing folders are created.
      md5: the publisher's checksum, hexadecimal; None for the one that the server sends, if any (Google's servers do,
        in `x-goog-hash`). The length is checked in any case.
      help: text to add to the message if `url` cannot be reached: "--data_dir is ...".

    Raises:
      UsageError: `url` cannot be reached; detected within 10 seconds.
      RunError: the download broke off, or its checksum is wrong; nothing is left at `path`.
    """
    preparation.begin(f"download {url} to {path}")
    reason = tfds.unreachable(url)
    if reason:
        raise UsageError(
            f"{url} cannot be reached ({reason}); download it elsewhere and put it at {path}. {help}".rstrip()
        )
    digest, size = hashlib.md5(), 0
    try:
        with urllib.request.build_opener().open(url, timeout=_TIMEOUT) as answer, files.replacing(path) as file:
            length = int(answer.headers.get("Content-Length", 0))
            with tqdm.wrapattr(answer, "read", total=length or None, desc=os.path.basename(path)) as body:
                while chunk := body.read(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
            if length and size != length:
                raise RunError(f"{url}: received {size:,} bytes, but must be {length:,}; try again.")
            wanted, found = md5 or _sent_md5(answer.headers), digest.hexdigest()
            if wanted and found != wanted:
                raise RunError(
                    f"{url}: the md5 checksum is {found}, but must be {wanted}; was a web page sent instead?"
                )
    except OSError as error:
        raise RunError(f"{url} could not be downloaded to {path}: {files.reason(error)}.") from error
    files.sweep(os.path.dirname(path), os.path.basename(path))


def _sent_md5(headers: HTTPMessage) -> str | None:
    found = re.search(r"md5=([\w+/=]+)", " ".join(headers.get_all("x-goog-hash", [])))
    return base64.b64decode(found[1]).hex() if found else None
