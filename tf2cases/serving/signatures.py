"""What a model's signatures take, and the one rule that says which of them answers for what.

TF Serving tells its clients the names, shapes and dtypes of signatures, but not the model card. The rule needs no more
than these, so a client that asks a server finds the same signature as one that reads the card, where `export` has
written what the rule says. TensorFlow is not imported.
"""

import dataclasses
import hashlib
from collections.abc import Mapping

import numpy as np

DEFAULT = "serving_default"
SEVERAL = "read_digits_bytes"  # reads the digits of each picture one by one
OF_SEVERAL = ("digits", "confidences", "boxes")  # its outputs that have as many entries as its output `count` says

# What a client can give, in the order of the card: picture files, rows of numbers, latents, named tensors.
KINDS = ("pictures", "values", "latents", "tensors")

_FIRST = ("classify_bytes", "read_bytes", "denoise_bytes", DEFAULT)  # for pictures, if there are several


@dataclasses.dataclass(frozen=True)
class Spec:
    """The form of an input or output.

    Attributes:
      dtype: of its arrays; object for strings, which are bytes.
      shape: its dimensions, None for those of any size; or None if their number is open.
    """

    dtype: np.dtype
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        name = "string" if self.dtype == object else self.dtype.name
        return f"{name} {'of any shape' if self.shape is None else list(self.shape)}".replace("None", "n")

    @property
    def row(self) -> tuple[int, ...]:
        """The dimensions of one row: those after the first.

        Raises:
          ValueError: one of them is of any size.
        """
        sizes = [size for size in (self.shape or (None, None))[1:] if size is not None]
        if self.shape is None or len(sizes) != len(self.shape) - 1:
            raise ValueError(f"{self} has rows of any size.")
        return tuple(sizes)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array may have this shape."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            wanted in (None, size) for size, wanted in zip(shape, self.shape, strict=True)
        )


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature: {name: spec} of its inputs and of its outputs."""

    inputs: Mapping[str, Spec]
    outputs: Mapping[str, Spec]


def answering(signatures: Mapping[str, Signature]) -> dict[str, str]:
    """The rule: {kind: the signature that answers for it}, for those of `KINDS` that a model answers.

    * pictures: its only input is `image_bytes`. If there are several: `classify_bytes`, `read_bytes`, `denoise_bytes`,
      the default signature, or the first by name that does not return `features`.
    * latents: its only input is `z`, float [n, k]; one that returns PNG files (an output that ends in `_bytes`) first.
    * values: its only input is another float [n, k]; the default signature first.
    * tensors: the default signature, or the first by name.
    """
    names = sorted(signatures, key=lambda name: (name != DEFAULT, name))
    only = {name: next(iter(signatures[name].inputs.items())) for name in names if len(signatures[name].inputs) == 1}
    pictures = [name for name, (key, spec) in only.items() if key == "image_bytes" and spec.dtype == object]
    pictures.sort(key=lambda name: (_rank(name), "features" in signatures[name].outputs, name))
    rows = {name: key for name, (key, spec) in only.items() if spec.dtype.kind == "f" and len(spec.shape or ()) == 2}
    latents = [name for name, key in rows.items() if key == "z"]
    latents.sort(key=lambda name: not any(key.endswith("_bytes") for key in signatures[name].outputs))
    values = [name for name, key in rows.items() if key != "z"]
    found = zip(KINDS, (pictures, values, latents, names), strict=True)
    return {kind: candidates[0] for kind, candidates in found if candidates}


def _rank(name):
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def draw_latents(signatures: Mapping[str, Signature], count: int, width: int, seed: int) -> np.ndarray:
    """Latents for a generator: float32 [count, width], the same ones on every computer.

    A model with a signature `encode` is a variational autoencoder, whose latents are from N(0, 1); otherwise they are
    uniform in [-1, 1). They are those that `sample_vae` and `sample_dcgan` draw for the seed.
    """
    if "encode" in signatures:
        return np.random.default_rng(seed).standard_normal([count, width]).astype(np.float32)
    # As nn.random.uniform for the latents of a DCGAN's montages.
    digest = hashlib.sha256(f"{seed}/latents".encode()).digest()
    bits = _philox(int.from_bytes(digest[:8], "big") >> 1, count * width)
    return ((bits >> 9 | 0x3F800000).astype(np.uint32).view(np.float32) - 1).reshape(count, width) * 2 - 1


def _philox(seed, count):
    """The first draws of TensorFlow's stateless Philox generator for the seed [seed, 0], uint64 [count] below 2^32."""
    first = np.array([[seed & 0xFFFFFFFF], [seed >> 32], [0], [0]], np.uint64)
    mixed = _philox_blocks(first, 0x3EC8F720, 0x02461E29)[:, 0]
    blocks = -(-count // 4)
    counters = np.zeros([4, blocks], np.uint64)
    counters[0] = np.arange(blocks)
    counters[2:] = mixed[2:, None]
    return _philox_blocks(counters, int(mixed[0]), int(mixed[1])).T.ravel()[:count]


def _philox_blocks(counters, low, high):
    """Philox 4x32 with ten rounds (Salmon et al., 2011): uint64 [4, n] below 2^32 -> the same."""
    a, b, c, d = counters
    mask = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        first, second = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = second >> 32 ^ b ^ np.uint64(low), second & mask, first >> 32 ^ d ^ np.uint64(high), first & mask
        low, high = (low + 0x9E3779B9) & 0xFFFFFFFF, (high + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([a, b, c, d])
