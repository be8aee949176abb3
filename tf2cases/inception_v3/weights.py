"""Finds, downloads, reads and checks trained weights, and loads them into a network."""

import dataclasses
import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable

import numpy as np

from tf2cases import files, nn
from tf2cases.configs.inception_v3 import WEIGHTS_DIR, check_weights
from tf2cases.data import download
from tf2cases.errors import UsageError
from tf2cases.inception_v3 import frozen_graph, keras_weights, labels, slim_weights
from tf2cases.inception_v3.network import IMAGE_SHAPE, Network
from tf2cases.inception_v3.preprocessing import GRAPH_2015, KERAS, SLIM, Preprocessing

_KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
_KERAS_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels"
_TENSORFLOW_URL = "https://storage.googleapis.com/download.tensorflow.org/"


@dataclasses.dataclass(frozen=True)
class Published:
    """A file that its authors published.

    Attributes:
      file: name of the file.
      url: URL of the file, or of an archive that contains it.
      md5: the checksum that its authors published, or None.
    """

    file: str
    url: str
    md5: str | None = None


# Checksums are those of keras/src/applications/inception_v3.py and imagenet_utils.py; the server sends the others.
PUBLISHED = {
    "2015": Published(
        "classify_image_graph_def.pb", f"{_TENSORFLOW_URL}models/image/imagenet/inception-2015-12-05.tgz"
    ),
    "keras": Published(f"{_KERAS_FILE}.h5", f"{_KERAS_URL}{_KERAS_FILE}.h5", "9a0d58056eeedaa3f26cb7ebd46da564"),
    "keras_notop": Published(
        f"{_KERAS_FILE}_notop.h5", f"{_KERAS_URL}{_KERAS_FILE}_notop.h5", "bcbd6486424b2319ff4ef7d526e38f63"
    ),
    "slim": Published("inception_v3.ckpt", f"{_TENSORFLOW_URL}models/inception_v3_2016_08_28.tar.gz"),
}
CLASS_INDEX = Published(
    labels.CLASS_INDEX, f"{_TENSORFLOW_URL}data/imagenet_class_index.json", "c2c37ea517e94d9795004a39431a14cb"
)
LABEL_MAP = dataclasses.replace(PUBLISHED["2015"], file=labels.LABEL_MAP)
_LARGEST = 1 << 30  # bytes of one file in an archive


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A network with its weights and their preprocessing.

    Attributes:
      network: a created, unfolded `Network`.
      preprocessing: its `Preprocessing`.
      source: where the weights come from: a path, or "random".
      left_over: names of the tensors in the file that the network does not use.
    """

    network: Network
    preprocessing: Preprocessing
    source: str
    left_over: tuple


def load(weights: str, weights_dir: str = WEIGHTS_DIR, seed: int = 0) -> Loaded:
    """Creates a network with weights.

    Args:
      weights: one of `WEIGHTS`: published ones, which are downloaded to `weights_dir` unless they are there, or
        "random" (1,000 classes, Keras' preprocessing); or a path: a frozen graph of 2015 (.pb), a file of Keras (.keras
        or .h5), or a checkpoint of TF-Slim.
      weights_dir: the folder of published files.
      seed: seed of random weights.

    Returns:
      Loaded.

    Raises:
      UsageError: there are no such weights, the server cannot be reached, or a file is damaged or for another network.
      RunError: a download was interrupted.
    """
    check_weights(weights)
    if weights == "random":
        network = Network(1000)
        network.create((None, *IMAGE_SHAPE), nn.random.fold(seed, "weights"))
        return Loaded(network, KERAS, weights, ())
    path = find(PUBLISHED[weights], weights_dir) if weights in PUBLISHED else weights
    readers: dict[str, tuple[Callable, Preprocessing]] = {
        ".h5": (keras_weights.read, KERAS),
        ".hdf5": (keras_weights.read, KERAS),
        ".keras": (keras_weights.read, KERAS),
        ".pb": (frozen_graph.read, GRAPH_2015),
    }
    read, preprocessing = readers.get(os.path.splitext(path)[1].lower(), (slim_weights.read, SLIM))
    tensors, names = read(path, Network(0).units())
    return _loaded(path, tensors, names, preprocessing)


def find(published: Published, weights_dir: str) -> str:
    """The path of a published file in `weights_dir`; unpacks or downloads it there if necessary.

    Raises:
      UsageError, RunError: see `load`.
    """
    path = os.path.join(weights_dir, published.file)
    if os.path.exists(path):
        return path
    archive = os.path.join(weights_dir, published.url.rsplit("/", 1)[1])
    if not os.path.exists(archive):
        download.fetch(published.url, archive, published.md5, "--weights_dir selects the folder.")
    if archive != path:
        _unpack(archive, weights_dir)
        if not os.path.exists(path):
            raise UsageError(f"{archive} has no {published.file}, but must contain it; download it again.")
    return path


def _unpack(archive, folder):
    """Extracts the regular files at the top of a tar archive, each completely or not at all."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = os.path.normpath(member.name)
                if not member.isfile() or os.path.basename(name) != name or member.size > _LARGEST:
                    continue
                with files.replacing(os.path.join(folder, name)) as file, tar.extractfile(member) as content:
                    shutil.copyfileobj(content, file, 1 << 20)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError) as error:
        raise UsageError(f"{archive} is not a complete tar archive; download it again.") from error


def _loaded(source, tensors, names, preprocessing):
    """Creates a network with the tensors of a file.

    Args:
      source: the name of the file in messages.
      tensors: {name in the file: array}.
      names: {name in the network: name in the file}; PATH/scale is that of a batch norm, which this network does
        not have: it is multiplied into the unit's kernel and mean.
      preprocessing: a `Preprocessing`.
    """
    bias = tensors.get(names.get("logits/bias"))
    if bias is not None and np.ndim(bias) != 1:
        raise UsageError(f"{source}: {names['logits/bias']!r} has {np.ndim(bias)} dimensions, but must have one.")
    classes = 0 if bias is None else len(bias)
    if not classes and names.get("logits/kernel") in tensors:
        raise UsageError(f"{source} has {names['logits/kernel']!r}, but must also have the last layer's bias.")
    network = Network(classes, preprocessing.last_pool, kernel_init=nn.initializers.zeros)
    network.create((None, *IMAGE_SHAPE), 0)
    variables = network.values()
    used = {name: _tensor(source, tensors, name, names.get(name), v.shape) for name, v in variables.items()}
    for name, place in names.items():
        path, _, kind = name.rpartition("/")
        if kind == "scale":
            scale = _tensor(source, tensors, name, place, variables[f"{path}/offset"].shape)
            used[name] = scale
            # (k * x - m) / s * scale is (k * scale * x - m * scale) / s.
            used[f"{path}/kernel"] = used[f"{path}/kernel"] * scale
            used[f"{path}/moving_mean"] = used[f"{path}/moving_mean"] * scale
        elif name not in variables and place in tensors:
            raise UsageError(f"{source} has {place!r}, but Inception-v3 has no {name}: it belongs to another network.")
    for name, variable in variables.items():
        variable.assign(used[name])
    places = {names[name] for name in used}
    return Loaded(network, preprocessing, source, tuple(sorted(set(tensors) - places)))


def _tensor(source, tensors, name, place, shape):
    if place not in tensors:
        raise UsageError(
            f"{source} has no {place or name!r}, which is Inception-v3's {name}: it belongs to another network, or "
            "is incomplete."
        )
    array = np.asarray(tensors[place])
    if array.dtype.kind not in "fiuV":  # V: bfloat16
        raise UsageError(f"{source}: {place!r} has the dtype {array.dtype}, but Inception-v3's {name} are numbers.")
    if array.shape != tuple(shape):
        raise UsageError(
            f"{source}: {place!r} has shape {list(array.shape)}, but Inception-v3's {name} must have {list(shape)}."
        )
    return array.astype(np.float32)
