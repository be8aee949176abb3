"""Files for TensorBoard's embedding projector."""

import os

import numpy as np

from tf2cases import viz

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


def write(folder, vectors, labels, pictures):
    """Writes points with their labels and thumbnails into a TensorBoard log folder.

    The config is written last, so that TensorBoard never sees points that are not there yet.

    Args:
      folder: where TensorBoard looks.
      vectors: float32 [N, n], n >= 2.
      labels: [N], written with `str`.
      pictures: uint8 [N, H, W, C], C in {1, 3}. Of more than fit the sprite (85,264 of 28x28), the first are taken.
    """
    height, width = pictures.shape[1:3]
    columns = min(_SPRITE // width, int(np.ceil(np.sqrt(len(vectors)))))
    count = min(len(vectors), columns * (_SPRITE // height))
    viz.write_png(os.path.join(folder, "sprite.png"), viz.montage(pictures[:count], columns, border=0, border_value=0))
    np.savetxt(os.path.join(folder, "vectors.tsv"), vectors[:count], fmt="%.6g", delimiter="\t")
    with open(os.path.join(folder, "labels.tsv"), "w", encoding="utf-8") as file:
        file.writelines(f"{label}\n" for label in labels[:count])
    with open(os.path.join(folder, "projector_config.pbtxt"), "w", encoding="utf-8") as file:
        file.write(_CONFIG.format(width=width, height=height))
