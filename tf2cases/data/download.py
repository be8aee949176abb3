"""Downloads of published files: with a progress bar and a checksum, and whole or absent."""

import base64
import hashlib
import os
import re
import urllib.request
from http.client import HTTPMessage

from tqdm import tqdm

from tf2cases import files
from tf2cases.data import tfds
from tf2cases.errors import RunError, UsageError

_TIMEOUT = 10.0  # seconds without a byte
_CHUNK = 1 << 18


def fetch(url: str, path: str, md5: str | None = None, help: str = "") -> None:
    """Downloads `url` to `path`.

    Args:
      url: where from.
      path: where to; its folder is made.
      md5: the publisher's checksum, hexadecimal. If there is none, the one that the server sends along (Google's do, in
        `x-goog-hash`) is used, and the length in any case.
      help: what else to say if the network is out of reach: "--data_dir is ...".

    Raises:
      UsageError: the network is out of reach; after 10 seconds at most.
      RunError: the download broke off, or its checksum is wrong; nothing is left at `path`.
    """
    reason = tfds.unreachable(url)
    if reason:
        raise UsageError(
            f"{url} is out of reach ({reason}); download it elsewhere and put it at {path}. {help}".rstrip()
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
                raise RunError(f"{url}: {size:,} bytes came, but must be {length:,}; try again.")
            wanted, found = md5 or _sent_md5(answer.headers), digest.hexdigest()
            if wanted and found != wanted:
                raise RunError(
                    f"{url}: the md5 checksum is {found}, but must be {wanted}; was it a page that was sent instead?"
                )
    except OSError as error:
        raise RunError(f"{url} could not be downloaded to {path}: {error}.") from error
    files.sweep(os.path.dirname(path), os.path.basename(path))


def _sent_md5(headers: HTTPMessage) -> str | None:
    found = re.search(r"md5=([\w+/=]+)", " ".join(headers.get_all("x-goog-hash", [])))
    return base64.b64decode(found[1]).hex() if found else None
