"""The playground: a page on which every served model can be tried, and the models that it is told of.

TensorFlow is not imported. The page itself is in `static/`; it speaks TF Serving's REST API and reads one further file,
/playground/models.json. `models/` has the small digit model that is served if no other is given.
"""

import pathlib
from typing import Final

STATIC: Final = pathlib.Path(__file__).parent / "static"
MODELS: Final = pathlib.Path(__file__).parent / "models"  # a base path with a model in each sub-folder
