"""Ten machine-learning cases in pure low-level TensorFlow 2.

`import tf2cases` is quick and does not import TensorFlow; `tf2cases.nn`, `tf2cases.training` and the other packages are
imported when they are first used.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tf2cases.serving.model import Model

__version__ = "0.1.0"

_PACKAGES = frozenset(
    {
        "benchmarks",
        "cases",
        "configs",
        "data",
        "evaluation",
        "inception_v3",
        "nn",
        "programs",
        "server",
        "serving",
        "training",
        "viz",
        "wordcloud",
    }
)


def __getattr__(name: str) -> ModuleType:
    if name not in _PACKAGES:
        raise AttributeError(f"module 'tf2cases' has no attribute {name!r}")
    return importlib.import_module(f"tf2cases.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PACKAGES})


def load(path: str) -> "Model":
    """Loads an exported model.

    Args:
      path: `exports/NAME`, whose newest version is loaded, or the directory of one version.

    Raises:
      UsageError: see `serving.model.Model`.
    """
    from tf2cases.serving.model import Model

    return Model(path)
