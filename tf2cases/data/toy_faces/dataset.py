"""Drawn faces, any number of them: picture i is a function of (stream, i).

Each split is its own stream. Streams share no draws, so training faces never appear in the test set.
"""

import functools
import hashlib

import numpy as np
from tqdm import tqdm

from tf2cases.data import preparation, threads
from tf2cases.data.pictures import options, prepared
from tf2cases.data.source import Source
from tf2cases.data.toy_faces import drawing

_SEED = 0
_CHUNK_PIXELS = 2**18  # drawn at once, so that the arrays fit into the CPU's cache


def load(size: int = 64, cache_dir: str = "data", train_count: int = 10000, test_count: int = 2000) -> Source:
    """Loads a training set and a test set of drawn faces, cached in CACHE_DIR/prepared.

    Args:
      size: side of the pictures in pixels.
      cache_dir: the cache folder.
      train_count, test_count: number of pictures, at least 1.

    Returns:
      Source with "images" uint8 [N, size, size, 3], memory-mapped; `info` has image_shape.

    Raises:
      UsageError: a size that is not accepted, or `cache_dir` cannot be written to.
      RunError: the disk is full.
    """
    options.check_size(size)
    shape, counts = [size, size, 3], {"train": train_count, "test": test_count}
    key = {"drawing": drawing.VERSION, "image_shape": shape, "counts": counts, "seed": _SEED}
    count = train_count + test_count

    def space() -> str:
        return f"{count:,} pictures, {preparation.megabytes(count * size * size * 3)} on the disk"

    make = functools.partial(_make, counts=counts, size=size)
    splits = prepared.load(cache_dir, "toy_faces", key, make, space).splits
    return Source("toy_faces", {s: {"images": splits[s]} for s in prepared.SPLITS}, {"image_shape": shape})


def generate(stream: str, first: int, count: int, size: int = 64) -> np.ndarray:
    """Draws pictures `first` to `first` + `count` - 1 of a stream, independently of all others.

    Returns:
      uint8 [count, size, size, 3].
    """
    return drawing.draw(uniform(stream, first, count), size)


def uniform(stream: str, first: int, count: int) -> np.ndarray:
    """The random numbers in [0, 1) of pictures `first` to `first` + `count` - 1: float64 [count, drawing.DRAWS]."""
    key = int.from_bytes(hashlib.sha256(f"toy_faces/{stream}/{_SEED}".encode()).digest()[:16], "big")
    # Raw output of Philox, which NumPy guarantees to remain the same; the index is the upper half of its counter.
    raw = [np.random.Philox(counter=i << 128, key=key).random_raw(drawing.DRAWS) for i in range(first, first + count)]
    return (np.stack(raw) >> np.uint64(11)) * 2.0**-53


def _make(writer: prepared.Writer, counts: dict[str, int], size: int) -> dict:
    """Draws both sets into a `prepared.Writer`; returns the facts for the manifest."""
    step, total = max(1, _CHUNK_PIXELS // size**2), sum(counts.values())
    jobs = [
        (split, first, min(step, count - first)) for split, count in counts.items() for first in range(0, count, step)
    ]
    print(f"Drawing {total:,} faces.", flush=True)
    with tqdm(total=total, desc="Drawing faces", unit="face", disable=None, leave=False) as bar:
        for (split, *_), faces in threads.in_order(lambda job: generate(*job, size), jobs):
            writer.add(split, faces)
            bar.update(len(faces))
    return {"image_shape": [size, size, 3]}
