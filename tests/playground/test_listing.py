"""What /playground/models.json says about models, of this server and of a backend."""

import ast
import asyncio
import json

import numpy as np
import pytest

from tf2cases.errors import UsageError
from tf2cases.playground import MODELS, listing
from tf2cases.server.specs import Signature, TensorSpec
from tf2cases.serving import card

METADATA = {
    "model_spec": {"name": "a", "signature_name": "", "version": "7"},
    "metadata": {
        "signature_def": {
            "signature_def": {
                "serving_default": {
                    "inputs": {
                        "x": {
                            "dtype": "DT_FLOAT",
                            "tensor_shape": {"dim": [{"size": "-1"}, {"size": "2"}], "unknown_rank": False},
                        }
                    },
                    "outputs": {"y": {"dtype": "DT_STRING", "tensor_shape": {"dim": [], "unknown_rank": True}}},
                },
                "__saved_model_init_op": {"inputs": {}, "outputs": {}},
            }
        }
    },
}
SIGNATURES = {
    "serving_default": {
        "inputs": {"x": {"dtype": "float32", "shape": [None, 2]}},
        "outputs": {"y": {"dtype": "string", "shape": None}},
    }
}


def listed(where, answers):
    """The models of a backend that answers {name: metadata}."""

    async def metadata(name):
        return answers.get(name)

    return asyncio.run(listing.Backend(str(where), metadata)())


def folder_of(place, name, facts=None):
    version = place / name / "7"
    version.mkdir(parents=True)
    if facts is not None:
        card.write(str(version), facts)


def test_the_signatures_of_a_served_version_and_of_its_metadata_have_the_same_form():
    x = TensorSpec("x:0", np.dtype(np.float32), "DT_FLOAT", (None, 2))
    y = TensorSpec("y:0", np.dtype(object), "DT_STRING", None)
    served = {"serving_default": Signature("serving_default", "predict", {"x": x}, {"y": y})}
    assert listing.of(served) == listing.of_metadata(METADATA) == SIGNATURES


def test_names_are_asked_of_the_backend_and_what_it_does_not_have_is_left_out():
    found = listed("a, b ,c", {"a": METADATA, "b": {"error": "something else"}})
    assert found == [{"name": "a", "version": "7", "signatures": SIGNATURES, "card": None}]


def test_a_folder_of_exports_is_read_and_the_backend_is_asked_where_there_is_no_card(tmp_path):
    folder_of(tmp_path, "with_card", {"signatures": {"one": {}}, "case": "vae"})
    folder_of(tmp_path, "a")
    folder_of(tmp_path, "gone")
    (tmp_path / "a file").write_text("")
    (tmp_path / "empty").mkdir()
    found = {model["name"]: model for model in listed(tmp_path, {"a": METADATA})}
    assert found.keys() == {"with_card", "a"}
    assert (found["with_card"]["signatures"], found["with_card"]["card"]["case"]) == ({"one": {}}, "vae")
    assert (found["a"]["signatures"], found["a"]["card"]) == (SIGNATURES, None)


def test_of_a_card_the_page_gets_what_it_needs_and_no_paths():
    config = {"model": "mlp", "workdir": "/home/somebody/runs", "data_dir": "/data"}
    short, long = {"x": [1.0]}, {"x": [1.0] * 500}
    facts = {"case": "mnist", "config": config, "sha256": {"a": "b"}, "examples": {"short": short, "long": long}}
    assert listing.facts(facts) == {"case": "mnist", "config": {"model": "mlp"}, "examples": {"short": short}}
    assert listing.facts(None) is None


def test_a_damaged_card_is_none(tmp_path):
    folder_of(tmp_path, "a", {})
    (tmp_path / "a/7" / card.PATH).write_text("{")
    assert listed(tmp_path, {"a": METADATA})[0]["card"] is None


def test_a_folder_without_exports_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"^--models is '.*', but must have a folder with an exported model in it\.$"):
        listed(tmp_path, {})


@pytest.mark.parametrize("where", ["no/folder", "a,,b", ","])
def test_what_is_neither_a_folder_nor_names_is_refused(where):
    message = (
        r"^--models is '.*', but must be the folder with the exports, or the names of models, separated by commas\.$"
    )
    with pytest.raises(UsageError, match=message):
        listed(where, {})


def test_the_digit_model_of_the_package_is_complete_and_small():
    found = card.check(str(MODELS / "digits" / "1"))
    assert found["metrics"]["accuracy"] > 0.99
    assert {"serving_default", "classify_bytes", "classify", "read_digits_bytes", "find_digits_bytes"} == set(
        found["signatures"]
    )
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) < 1.3e6
    assert "/tmp" not in json.dumps(found)


@pytest.mark.parametrize("facts", [{"weights": "random"}, {"config": {"weights": "random"}}])
def test_the_page_is_told_of_random_weights_but_not_of_the_path_of_others(facts):
    assert listing.facts(facts)["random_weights"] is True
    text = str(facts).replace("random", "/home/ann/model.keras")
    assert listing.facts(ast.literal_eval(text)) == {"examples": {}, "config": {}}
