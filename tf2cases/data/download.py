"""Downloads of published files: with a progress bar and a checksum, and whole or absent."""

import base64
import hashlib
import os
import urllib.request
from http.client import HTTPMessage, HTTPResponse
from typing import IO

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
    try:
        with urllib.request.build_opener().open(url, timeout=_TIMEOUT) as answer, files.replacing(path) as file:
            length = answer.headers.get("Content-Length")
            wanted = md5 or _sent_md5(answer.headers)
            size, found = _copy(answer, file, os.path.basename(path), int(length) if length else None)
            if length and size != int(length):
                raise RunError(f"{url}: {size:,} bytes came, but must be {int(length):,}; try again.")
            if wanted and found != wanted:
                raise RunError(
                    f"{url}: the md5 checksum is {found}, but must be {wanted}; was it a page that was sent instead?"
                )
    except OSError as error:
        raise RunError(f"{url} could not be downloaded to {path}: {error}.") from error
    files.sweep(os.path.dirname(path), os.path.basename(path))


def _sent_md5(headers: HTTPMessage) -> str | None:
    for value in headers.get_all("x-goog-hash", []):
        for item in value.split(","):
            kind, _, digest = item.strip().partition("=")
            if kind == "md5":
                return base64.b64decode(digest).hex()
    return None


def _copy(answer: HTTPResponse, file: IO[bytes], name: str, length: int | None) -> tuple[int, str]:
    """Copies the answer's body to a file with a progress bar: (bytes, md5)."""
    digest, size = hashlib.md5(), 0
    with tqdm(total=length, unit="B", unit_scale=True, desc=name) as bar:
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            bar.update(len(chunk))
    return size, digest.hexdigest()
