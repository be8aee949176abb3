"""One export, made once: checking it costs a fresh process."""

import pytest
from small_model import SmallModel, requests

from tf2cases.serving.export import export


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """(the live model, its requests, the directory of version 1)."""
    model = SmallModel()
    place = tmp_path_factory.mktemp("exports") / "small"
    place.mkdir()
    (place / "notes.txt").write_text("not a version")
    (place / "backup").mkdir()
    path = export(model.signatures(), requests(), place)
    return model, requests(), path
