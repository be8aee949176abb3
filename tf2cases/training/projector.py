"""Files for TensorBoard's embedding projector."""

import os
from collections.abc import Sequence

import numpy as np

from tf2cases import files, viz

FILES = ("sprite.png", "vectors.tsv", "labels.tsv", "projector_config.pbtxt")

# The projector takes one sprite of at most 8192 x 8192 pixels.
_SPRITE = 8192

_CONFIG = """embeddings {{
  tensor_name: "embedding"
  tensor_path: "vectors.tsv"
  metadata_path: "labels.tsv"
  sprite {{
    image_path: "sprite.png"
    single_image_dim: {width}
    single_image_dim: {height}
  }}
}}
"""


def write(folder: str, vectors: np.ndarray, labels: Sequence, pictures: np.ndarray) -> None:
    """Writes points with their labels and thumbnails into a TensorBoard log folder.

    The config is written last, so that TensorBoard never looks for files that do not exist yet.

    Args:
      folder: the TensorBoard log folder.
      vectors: float32 [N, n], n >= 2.
      labels: [N], written with `str`.
      pictures: uint8 [N, H, W, C], C in {1, 3}. If not all fit the sprite (85,264 of 28x28), the rest are left out.
    """
    height, width = pictures.shape[1:3]
    columns = min(_SPRITE // width, int(np.ceil(np.sqrt(len(vectors)))))
    count = min(len(vectors), columns * (_SPRITE // height))
    viz.write_png(os.path.join(folder, "sprite.png"), viz.montage(pictures[:count], columns, border=0, border_value=0))
    with files.replacing(os.path.join(folder, "vectors.tsv"), "w") as file:
        np.savetxt(file, vectors[:count], fmt="%.6g", delimiter="\t")
    files.write_text(os.path.join(folder, "labels.tsv"), "".join(f"{label}\n" for label in labels[:count]))
    files.write_text(os.path.join(folder, "projector_config.pbtxt"), _CONFIG.format(width=width, height=height))
