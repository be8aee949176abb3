"""All runs are exported at once, with what a server needs to serve them; the printed commands ask these very models."""

import functools
import json
import os
import pathlib
import shlex
import shutil
import sys

import pytest
import tensorflow as tf
from program_call import exit_status

from tf2cases.programs import export, server_configs, train_linear_regression, train_mnist
from tf2cases.serving import batching, card

place = str(pathlib.Path(__file__).resolve().parents[1] / "server")
if place not in sys.path:
    sys.path.append(place)


def settle(directory, *_):
    """In place of the fresh process: does not check, and writes settings without measuring."""
    pathlib.Path(directory, batching.PATH).write_text(batching.Settings(8, 500, "Not measured.").text())


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tf2cases.serving.verify.in_fresh_process", settle)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder of two finished runs, which tests copy: training takes seconds."""
    place = tmp_path_factory.mktemp("trained")
    assert exit_status(train_linear_regression, "--epochs=2", f"--workdir={place}/houses", "--export_dir=") == 0
    digits = ("--dataset=mnist_sample", "--model=mlp", "--steps=2", f"--workdir={place}/digits", "--export_dir=")
    assert exit_status(train_mnist, *digits) == 0
    return place


@pytest.fixture
def runs(trained):
    return shutil.copytree(trained, "runs")


export_all = functools.partial(exit_status, export, "--all")


def save_foreign(name):
    """A model that this program has not exported."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def double(x):
        return {"y": 2 * x}

    tf.saved_model.save(tf.Module(), f"exports/{name}/3", signatures={"serving_default": double})


def test_every_run_is_exported_and_served_with_the_written_files(runs, capsys):
    from running import serving

    from tf2cases.server import messages

    save_foreign("their's")
    assert export_all() == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Done: 2 of 2 runs are exported; exports/models.config lists 3 models."
    )
    monitoring = messages.read("exports/monitoring.config", messages.MonitoringConfig()).prometheus_config
    assert (monitoring.enable, monitoring.path) == (True, "/monitoring/prometheus/metrics")
    for per_model in (False, True):
        options = {"batching": True, "batching_file": "exports/batching.config", "batching_per_model": per_model}
        with serving(config_file="exports/models.config", metrics_path=monitoring.path, **options) as server:
            assert server.core.served() == {"digits": [1], "houses": [1], "their's": [3]}
            for name in ("digits", "houses"):
                example = card.read(f"exports/{name}/1")["examples"]["serving_default"]
                server.post(f"{name}:predict", {"inputs": {key: [value] for key, value in example.items()}})
            rows = {"x": [[1.0, 2.0]] * 100}  # more than a batch
            assert server.post("their's:predict", {"inputs": rows})["outputs"] == [[2, 4]] * 100
            assert "tensorflow:serving:request_count" in server.get(monitoring.path)


def test_the_card_of_a_run_has_its_config_and_metrics(runs):
    assert export_all() == 0
    read = card.read("exports/digits/1")
    assert (read["case"], read["run"], read["step"]) == ("mnist", "digits", 2)
    assert read["config"] == json.loads(pathlib.Path("runs/digits/config.json").read_text())["config"]
    assert read["data"] == {"dataset": "mnist_sample", "terms": "MNIST, Y. LeCun and C. Cortes, CC BY-SA 3.0"}
    reports = [json.loads(line) for line in open("runs/digits/metrics.jsonl")]
    assert read["metrics"] == [report["values"] for report in reports if report["split"] == "eval"][-1]
    assert read["metrics"].keys() == {"loss", "accuracy"}


def test_a_model_that_is_exported_already_is_not_exported_again_but_the_files_are_written(runs, capsys):
    assert export_all() == 0
    before = {name: os.path.getmtime(f"exports/{name}/1") for name in ("digits", "houses")}
    os.remove("exports/models.config")
    capsys.readouterr()
    assert export_all() == 0
    assert "exports/digits/1 already, so no further version is written" in capsys.readouterr().out
    assert before == {name: os.path.getmtime(f"exports/{name}/1") for name in before}
    assert os.listdir("exports/digits") == ["1"]
    assert os.path.exists("exports/models.config")


def test_runs_that_cannot_be_exported_are_named_and_the_others_go_on(runs, capsys):
    os.mkdir("runs/no_run")
    shutil.copytree("runs/digits", "runs/empty")
    shutil.rmtree("runs/empty/checkpoints")
    shutil.copytree("runs/digits", "runs/malformed")
    pathlib.Path("runs/malformed/config.json").write_text("{")
    shutil.copytree("runs/digits", "runs/damaged")
    for file in pathlib.Path("runs/damaged/checkpoints").glob("*/variables.data*"):
        file.write_bytes(b"nothing")
    shutil.copytree("runs/digits", "runs/stopped")
    record = json.loads(pathlib.Path("runs/stopped/config.json").read_text())
    record["config"]["steps"] = 5
    pathlib.Path("runs/stopped/config.json").write_text(json.dumps(record))
    os.makedirs("exports/half/2")
    capsys.readouterr()
    assert export_all() == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "Done: 2 of 6 runs are exported; exports/models.config lists 2 models."
    lines = [line for line in err.splitlines() if line.startswith("export: ")]
    assert len(lines) == 5
    for name, reason in {
        "damaged": "damaged",
        "empty": "no checkpoint was saved there yet",
        "malformed": "config.json cannot be read",
        "stopped": "its run is unfinished (step 2 of 5): resume it, or export it as it is without --all.",
    }.items():
        (line,) = (line for line in lines if line.startswith(f"export: runs/{name} is not exported: "))
        assert reason in line
    assert lines[-1] == "export: exports/half/2 is not a SavedModel: saved_model.pb is missing."
    assert sorted(os.listdir("exports")) == [
        "batching.config",
        "digits",
        "half",
        "houses",
        "models.config",
        "monitoring.config",
    ]


def test_models_without_any_run_are_configured(capsys):
    save_foreign("theirs")
    assert export_all() == 0
    assert capsys.readouterr().out == "Done: 0 of 0 runs are exported; exports/models.config lists 1 model.\n"


@pytest.mark.parametrize("workdir", ["none", "runs/houses"])
def test_the_folder_of_runs_must_be_one(runs, capsys, workdir):
    assert export_all(f"--workdir={workdir}") == 2
    assert f"--workdir is {workdir!r}, but" in capsys.readouterr().err


def test_the_smallest_settings_are_the_common_ones():
    from tf2cases.server import messages

    for name, size, wait in (("a", 16, 300), ("b", 4, 700)):
        save_foreign(name)
        pathlib.Path(f"exports/{name}/3", batching.PATH).write_text(batching.Settings(size, wait, "").text())
    save_foreign("c")
    server_configs.write("exports", ["a", "b", "c"])
    message = messages.read("exports/batching.config", messages.BatchingParameters())
    assert (message.max_execution_batch_size.value, message.batch_timeout_micros.value) == (4, 300)


def test_the_printed_commands_are_of_all_models(runs, capsys, tmp_path):
    from running import serving

    save_foreign("their's")
    assert export_all("--print_commands") == 0
    *_, docker, digits, houses, theirs = capsys.readouterr().out.splitlines()
    words = shlex.split(docker)
    folder = f"{tmp_path}/exports"
    assert words[:6] == ["docker", "run", "-p", "8500:8500", "-p", "8501:8501"]
    assert words[6:9] == ["-v", f"{folder}:{folder}:ro", "tensorflow/serving"]
    flags = dict(word.split("=") for word in words[9:] if "=" in word)
    with serving(
        config_file=flags["--model_config_file"],
        batching="--enable_batching" in words,
        batching_file=flags["--batching_parameters_file"],
        batching_per_model="--enable_per_model_batching_parameters" in words,
    ) as server:
        for line, name in ((digits, "digits"), (houses, "houses")):
            curl, option, data, url = shlex.split(line)
            assert (curl, option, url) == ("curl", "-d", f"localhost:8501/v1/models/{name}:predict")
            server.post(f"{name}:predict", json.loads(data))
        assert theirs == "curl localhost:8501/v1/models/their%27s/metadata"
        assert server.get("/v1/models/their%27s/metadata")["model_spec"]["name"] == "their's"
    assert os.path.isfile(flags["--monitoring_config_file"])
    assert exit_status(export, "--workdir=runs/digits", "--print_commands") == 0
    *_, docker, curl = capsys.readouterr().out.splitlines()
    assert docker.endswith(f"-v {folder}/digits:/models/digits:ro -e MODEL_NAME=digits tensorflow/serving")
    assert curl == digits
