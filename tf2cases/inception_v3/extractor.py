"""Features of many picture files, computed once and cached on the disk."""

import functools
import hashlib
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tf2cases import files
from tf2cases.data import preparation
from tf2cases.data.pictures.members import read_file
from tf2cases.data.pictures.records import RecordFile
from tf2cases.errors import UsageError
from tf2cases.inception_v3 import weights as all_weights
from tf2cases.inception_v3.classifier import InceptionV3
from tf2cases.inception_v3.network import FEATURES, IMAGE_SHAPE

BATCH = 16  # pictures per batch
_VERSION = 1  # to be raised when the same pictures and weights produce different numbers


@functools.lru_cache(maxsize=1)
def load(weights: str, weights_dir: str) -> "Extractor":
    """The `Extractor` of some weights, see `weights.load`; the last one is cached, since loading takes seconds."""
    return Extractor(all_weights.load(weights, weights_dir))


class Extractor:
    """Computes features with trained weights.

    Attributes:
      network: the `Network`, not folded.
      preprocessing: its `Preprocessing`.
      model: the `InceptionV3` around it.
      identity: hexadecimal digest of these weights and their preprocessing.
    """

    def __init__(self, loaded: all_weights.Loaded):
        self.network, self.preprocessing = loaded.network, loaded.preprocessing
        numbers = [str(number) for number in range(loaded.network.classes)]
        self.model = InceptionV3(loaded.network, loaded.preprocessing, numbers)
        digest = hashlib.sha256(f"{_VERSION} {loaded.preprocessing}".encode())
        for name, variable in sorted(self.body().items()):
            digest.update(name.encode())
            digest.update(variable.numpy())
        self.identity = digest.hexdigest()

    def body(self) -> dict[str, tf.Variable]:
        """{name: variable} of the network without its last layer, see `Network.values`."""
        return {name: value for name, value in self.network.values().items() if not name.startswith("logits/")}

    def features(self, paths: Sequence[str], cache_dir: str, bad: Callable | None = None) -> Any:
        """The features of picture files, read from the cache or computed and cached.

        The cache is keyed by the content of the files, not their names; features that were computed before an
        interruption are not computed again.

        Args:
          paths: list of paths.
          cache_dir: the cache, which has a folder for these weights.
          bad: see `InceptionV3.pictures`; may be called more than once for a path.

        Returns:
          float32 [N, 2048] as `Rows`, without the bad ones.

        Raises:
          UsageError: a file cannot be read, or is not a picture.
          RunError: the disk is full.
        """

        def compute(missing, bad):
            for batch, answer in self.model.stream(missing, BATCH, bad):
                yield batch, answer["features"]

        return self._kept("features", [FEATURES], np.float32, compute, paths, cache_dir, bad)

    def images(self, paths: Sequence[str], cache_dir: str, bad: Callable | None = None) -> Any:
        """The pictures as the network sees them, uint8 [N, 299, 299, 3]; otherwise as `features`."""

        def compute(missing, bad):
            for path, image in self.model.pictures(missing, 2 * BATCH, bad):
                yield [path], np.round(255 * image)[np.newaxis].astype(np.uint8)

        return self._kept("images", IMAGE_SHAPE, np.uint8, compute, paths, cache_dir, bad)

    def _kept(self, what, shape, dtype, compute, paths, cache_dir, bad):
        file = RecordFile(os.path.join(cache_dir, f"inception-{self.identity[:12]}", f"{what}.records"), shape, dtype)
        keys = {}
        for path in paths:
            try:
                keys[path] = _digest(path)
            except UsageError as error:
                if bad is None:
                    raise
                bad(path, error)
        positions = file.find(list(keys.values()))
        if (positions < 0).any():
            count = int((positions < 0).sum())
            space = preparation.megabytes(count * math.prod(shape) * np.dtype(dtype).itemsize)
            preparation.begin(f"prepare {what} of {count:,} pictures in {file.path}", lambda: f"{space} on the disk")
            with file.appending() as append:
                positions = file.find(list(keys.values()))  # another process may have added some meanwhile
                missing = {key: path for (path, key), i in zip(keys.items(), positions, strict=True) if i < 0}

                def refuse(path, error):
                    for same, key in keys.items():  # only one of the files with this content was tried
                        if key == keys[path]:
                            bad(same, error)

                started, done = time.perf_counter(), 0
                bar = tqdm(total=len(missing), desc=f"Preparing {what}", unit="picture", disable=None, leave=False)
                with bar:
                    for batch, values in compute(list(missing.values()), bad and refuse):
                        append([keys[path] for path in batch], values)
                        bar.update(len(batch))
                        done += len(batch)
            seconds = time.perf_counter() - started
            print(
                f"{what.capitalize()} of {done:,} pictures were prepared in {seconds:.1f} s, {done / seconds:,.1f} per "
                f"second; {len(keys) - len(missing):,} were already in {file.path}.",
                flush=True,
            )
            positions = file.find(list(keys.values()))
        return file.rows(positions[positions >= 0])


def _digest(path):
    """The SHA-256 of a file."""
    try:
        return hashlib.sha256(read_file(path)).digest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({files.reason(error)}), but must be a picture.") from error
