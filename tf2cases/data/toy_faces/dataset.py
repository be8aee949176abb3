"""Drawn faces, any number of them from a seed: picture i is a function of (stream, seed, i)."""

import functools
import hashlib

import numpy as np
from tqdm import tqdm

from tf2cases.data import threads
from tf2cases.data.pictures import options, prepared
from tf2cases.data.source import Source
from tf2cases.data.toy_faces import drawing

# Streams share no draws, so no face for training is ever one for testing.
TRAIN_STREAM, TEST_STREAM = "train", "test"
TEST_SEED = 0  # the test set is the same whatever the seed of training
_CHUNK_PIXELS = 2**18  # drawn at once: arrays that fit into a processor's cache


def load(
    size: int = 64,
    channels: int | None = 3,
    cache_dir: str = "data",
    train_count: int = 10000,
    test_count: int = 2000,
    seed: int = 0,
) -> Source:
    """Loads a training set and a fixed test set of drawn faces, kept in CACHE_DIR/prepared.

    Args:
      size: side of the pictures.
      channels: 3, 1 for grey, or None for 3.
      cache_dir: where they are kept.
      train_count, test_count: pictures.
      seed: of the training set.

    Returns:
      Source with "images" uint8 [N, size, size, channels], memory-mapped; `info` has image_shape.

    Raises:
      UsageError: a size or number of channels that is not accepted, or `cache_dir` cannot be written to.
      ValueError: a count or seed that is not accepted.
      RunError: the disk is full.
    """
    options.check(size, channels)
    for name, value, least in (("train_count", train_count, 1), ("test_count", test_count, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name} is {value}, but must be at least {least}.")
    shape = [size, size, channels or 3]
    counts = {"train": train_count, "test": test_count}
    key = {"drawing": drawing.VERSION, "image_shape": shape, "counts": counts, "seed": seed}
    make = functools.partial(_make, counts=counts, seed=seed, shape=shape)
    splits = prepared.load(cache_dir, "toy_faces", key, make).splits
    return Source("toy_faces", {s: {"images": splits[s]} for s in prepared.SPLITS}, {"image_shape": shape})


def generate(stream: str, seed: int, first: int, count: int, size: int = 64) -> np.ndarray:
    """Draws pictures `first` to `first` + `count` - 1 of a stream, which depend on no other picture.

    Returns:
      uint8 [count, size, size, 3].
    """
    return drawing.draw(uniform(stream, seed, first, count), size)


def uniform(stream: str, seed: int, first: int, count: int) -> np.ndarray:
    """The numbers in [0, 1) of pictures `first` to `first` + `count` - 1: float64 [count, drawing.DRAWS]."""
    key = int.from_bytes(hashlib.sha256(f"toy_faces/{stream}/{seed}".encode()).digest()[:16], "big")
    # Raw output of Philox, whose sequence NumPy promises for ever; the index is the upper half of its counter.
    raw = [np.random.Philox(counter=i << 128, key=key).random_raw(drawing.DRAWS) for i in range(first, first + count)]
    return (np.stack(raw) >> np.uint64(11)) * 2.0**-53


def _make(writer: prepared.Writer, counts: dict[str, int], seed: int, shape: list[int]) -> dict:
    """Draws both sets into a `prepared.Writer`; returns the facts for the manifest."""
    size, _, channels = shape
    step = max(1, _CHUNK_PIXELS // size**2)
    jobs = [
        (split, stream, stream_seed, first, min(step, counts[split] - first))
        for split, stream, stream_seed in (("train", TRAIN_STREAM, seed), ("test", TEST_STREAM, TEST_SEED))
        for first in range(0, counts[split], step)
    ]
    total = sum(counts.values())
    print(f"Drawing {total:,} faces.", flush=True)
    with tqdm(total=total, desc="Drawing faces", unit="face", disable=None, leave=False) as bar:
        for (split, *_), faces in threads.in_order(lambda job: generate(*job[1:], size), jobs):
            writer.add(split, faces if channels == 3 else drawing.to_grey(faces))
            bar.update(len(faces))
    return {"image_shape": shape}
