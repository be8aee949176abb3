"""Which models and versions a config and the folders select."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tf2cases.server import sources
from tf2cases.server.errors import Code, ServingError


def config(text):
    return text_format.Parse(f"model_config_list {{ {text} }}", model_server_config_pb2.ModelServerConfig())


def model(text=""):
    return config(f"config {{ name: 'm' base_path: '/m' model_platform: 'tensorflow' {text} }}")


def folders(place, *names):
    for name in names:
        (place / name).mkdir(parents=True)
    return str(place)


def selected(place, policy):
    (found,) = model(policy).model_config_list.config
    found.base_path = str(place)
    return list(sources.wanted(found))


def test_integers_are_versions_and_other_names_are_not(tmp_path):
    folders(tmp_path, "1", "00000123", "v2", "3.0", ".4.partial", "99999999999999999999")
    (tmp_path / "7").write_text("a file")
    assert sources.versions(str(tmp_path)) == {1: f"{tmp_path}/1", 123: f"{tmp_path}/00000123"}
    assert sources.versions(str(tmp_path / "none")) == {}


def test_two_spellings_of_a_number_are_one_version(tmp_path, caplog):
    assert list(sources.versions(folders(tmp_path, "5", "05"))) == [5]
    assert "version 5 is served from" in caplog.text


def test_policies_select_versions(tmp_path):
    folders(tmp_path, "1", "2", "10")
    assert selected(tmp_path, "") == [10]
    assert selected(tmp_path, "model_version_policy { latest { num_versions: 2 } }") == [2, 10]
    assert selected(tmp_path, "model_version_policy { latest { } }") == [10]
    assert selected(tmp_path, "model_version_policy { all { } }") == [1, 2, 10]
    assert selected(tmp_path, "model_version_policy { specific { versions: 1 versions: 10 } }") == [1, 10]
    assert selected(tmp_path, "model_version_policy { specific { versions: 3 } }") == []


def test_a_missing_base_path_selects_nothing_rather_than_no_versions(tmp_path, caplog):
    (found,) = model().model_config_list.config
    found.base_path = str(tmp_path / "none")
    assert sources.wanted(found) is None
    assert f"Could not find base path {tmp_path}/none for servable m" in caplog.text


def test_a_base_path_without_versions_is_told_once(tmp_path, caplog):
    for _ in range(3):
        assert selected(tmp_path, "") == []
    assert caplog.text.count("Did you forget to name your leaf directory as a number (eg. '/1/')?") == 1


def test_a_base_path_with_versions_is_one_model(tmp_path):
    (found,) = sources.single("digits", folders(tmp_path, "1", "sub/1")).model_config_list.config
    assert (found.name, found.base_path, found.model_platform) == ("digits", str(tmp_path), "tensorflow")


def test_a_base_path_of_folders_with_versions_is_several_models(tmp_path):
    found = sources.single("ignored", folders(tmp_path, "b/1", "a/3", "empty")).model_config_list.config
    assert [(m.name, m.base_path) for m in found] == [("a", f"{tmp_path}/a"), ("b", f"{tmp_path}/b")]


def test_an_empty_base_path_is_one_model(tmp_path):
    (found,) = sources.single("digits", str(tmp_path)).model_config_list.config
    assert found.name == "digits"


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            config("config { name: 'm' base_path: 'm' model_platform: 'tensorflow' }"),
            "Expected model m to have an absolute path or URI; got base_path()=m",
        ),
        (
            config("config { name: 'm' base_path: '/m' }"),
            "Illegal setting neither model_type(deprecated) nor model_platform.",
        ),
        (
            config("config { name: 'm' base_path: '/m' model_platform: 'caffe' }"),
            "Model m requests unsupported platform caffe",
        ),
        (config("config { base_path: '/m' model_platform: 'tensorflow' }"), "has no name"),
        (model("version_labels { key: 'a b' value: 1 }"), "must be made of letters, digits and underscores"),
        (
            config("config { name: 'm' base_path: '/m' model_platform: 'tensorflow' } " * 2),
            "Illegal to list model m multiple times in config list",
        ),
    ],
)
def test_wrong_configs_are_told(wrong, text):
    with pytest.raises(ServingError) as caught:
        sources.check(wrong)
    assert (caught.value.code, text in caught.value.message) == (Code.INVALID_ARGUMENT, True), caught.value.message


def test_a_right_config_passes():
    sources.check(model("version_labels { key: 'Stable_1' value: 1 }"))
    sources.check(config("config { name: 'm' base_path: '/m' model_type: TENSORFLOW }"))
    sources.check(config(""))


def labels(version, known, available=(), lenient=False):
    wanted = model(f"version_labels {{ key: 'stable' value: {version} }}")
    return sources.labels(wanted, known, lambda name, number: number in available, lenient)["m"]


def test_labels_are_for_loaded_versions():
    assert labels(2, {}, available=[2]) == {"stable": 2}
    assert labels(2, {"m": {"stable": 1}}, available=[2]) == {"stable": 2}
    with pytest.raises(ServingError) as caught:
        labels(2, {}, available=[1])
    assert caught.value.code == Code.FAILED_PRECONDITION
    assert caught.value.message == (
        "Request to assign label to version 2 of model m, which is not currently available for inference"
    )


def test_new_labels_may_be_for_other_versions_with_the_flag():
    assert labels(2, {}, lenient=True) == {"stable": 2}
    assert labels(2, {"m": {"stable": 2}}, lenient=True) == {"stable": 2}
    with pytest.raises(ServingError, match="not currently available"):  # it would be moved to a version that is not
        labels(2, {"m": {"stable": 1}}, lenient=True)
