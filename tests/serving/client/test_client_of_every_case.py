"""The three ways to a model give the same lines, for every case: a new case is tested by being registered."""

import base64
import io
import json
import shlex
import shutil
import subprocess
import urllib.request

import numpy as np
import pytest
from PIL import Image
from program_call import exit_status
from test_case_exports import EXPORTS

from tf2cases import cases
from tf2cases.programs import predict, server_configs
from tf2cases.serving import card, client, export, signatures

# Export name -> the questions: arguments of the program, and what the line has after the label.
PICTURE, LATENTS = ["picture.png"], ["--latents_seed=7", "--count=3", "--out=out"]
QUESTIONS = {
    "linear_regression": ["--values=2104,3", "--values=1000,2"],
    "mnist_mlp": PICTURE,
    "mnist_cnn": PICTURE,
    "autoencoder": [*PICTURE, "--out=out"],
    "autoencoder_original": [*PICTURE, "--out=out"],
    "dcgan_celeba": LATENTS,
    "vae": LATENTS,
    "captcha": PICTURE,
    "retrain": PICTURE,
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(the folder of all cases' exports, a running server, {name: the case's requests})."""
    import running

    place, requests = tmp_path_factory.mktemp("served"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tf2cases.serving.verify.in_fresh_process", lambda *_: None)
        for name, (key, fields, info) in EXPORTS.items():
            case_class = cases.REGISTRY[key]
            config = case_class.Config(**fields, steps=10, epochs=None)
            case = case_class(config, info() if callable(info) else info)
            export.export_case(case, str(place / name), warmup=False)
            requests[name] = case.requests()
    with running.serving(config_file=models_config(place)) as server:
        yield place, server, requests


def models_config(place):
    lines = [
        f"config {{ name: '{name}' base_path: '{place}/{name}' model_platform: 'tensorflow' }}" for name in EXPORTS
    ]
    file = place / "models.config"
    file.write_text("model_config_list {\n" + "\n".join(lines) + "\n}\n")
    return str(file)


def ways(served, name):
    place, server, _ = served
    return {
        "model": [f"--model={place}/{name}"],
        "server": [f"--server=127.0.0.1:{server.grpc_port}", f"--name={name}"],
        "rest": [f"--rest=http://127.0.0.1:{server.rest_port}", f"--name={name}"],
    }


def test_every_case_is_asked_here():
    assert QUESTIONS.keys() == EXPORTS.keys()


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_three_ways_print_the_same_lines_and_write_the_same_pictures(served, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ramp = np.linspace(0, 255, 60 * 160).reshape(60, 160).astype(np.uint8)
    Image.fromarray(ramp).save("picture.png")
    found = {}
    for way, arguments in ways(served, name).items():
        for form in ([], ["--json"]):
            code = exit_status(predict, *arguments, *QUESTIONS[name], *form)
            out, err = capsys.readouterr()
            assert code == 0, err
            files = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*")}
            found[way, len(form)] = (out, files)
            assert out or files
    for form in (0, 1):
        assert found["model", form] == found["server", form] == found["rest", form]
    text, files = found["model", 0]
    if "--out=out" in QUESTIONS[name]:
        names = {"0000.png", "0001.png", "0002.png"} if "--count=3" in QUESTIONS[name] else {"picture.png"}
        assert files.keys() == names
        for content in files.values():
            assert Image.open(io.BytesIO(content)).format == "PNG"
    else:
        for line in text.splitlines():
            assert len(line.split("\t")) >= 2


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_signature_answers_the_same_on_the_three_ways(served, name):
    place, server, requests = served
    with (
        client.connect(model=str(place / name)) as local,
        client.connect(server=f"127.0.0.1:{server.grpc_port}", name=name) as grpc,
        client.connect(rest=f"http://127.0.0.1:{server.rest_port}", name=name) as rest,
    ):
        assert local.signatures == grpc.signatures == rest.signatures
        for signature, request in requests[name].items():
            expected = local.call(signature, **request)
            for remote in (grpc, rest):
                answer = remote.call(signature, **request)
                assert answer.keys() == expected.keys()
                for output, value in expected.items():
                    assert (answer[output].dtype, answer[output].shape) == (value.dtype, value.shape)
                    if value.dtype == object:
                        assert answer[output].tolist() == value.tolist()
                    else:
                        np.testing.assert_allclose(answer[output], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_card_names_the_signature_that_a_client_of_a_server_finds(served, name):
    place, server, _ = served
    with client.connect(rest=f"http://127.0.0.1:{server.rest_port}", name=name) as remote:
        assert remote.card is None
        assert remote.answers == card.read(str(place / name / "1"))["answers"]
        assert remote.answers["tensors"] == signatures.DEFAULT


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_default_signature_takes_tensors_and_outputs_have_names_of_their_own(served, name):
    with client.connect(model=str(served[0] / name)) as model:
        assert all(spec.dtype != object for spec in model.signatures["serving_default"].inputs.values())
        for signature, found in model.signatures.items():
            assert not found.inputs.keys() & found.outputs.keys()
            takes_bytes = any(spec.dtype == object for spec in found.inputs.values())
            assert not takes_bytes or signature == "classify" or signature.endswith("_bytes")


# Numbers without bounds, and strings.
UNBOUNDED = {"features", "price", "mean", "log_variance"}
BOUNDS = {"z": [-1.0, 1.0], "count": [0, 32]}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_card_has_all_that_a_user_must_know(served, name):
    place, _, requests = served
    read = card.read(str(place / name / "1"))
    key, fields, _ = EXPORTS[name]
    assert (read["case"], read["step"]) == (key, 0)
    assert fields.items() <= read["config"].items()
    assert read["data"]["dataset"] == read["config"]["dataset"]
    assert read["data"]["terms"] != "unknown"
    assert read["signatures"].keys() == requests[name].keys()
    assert set(read["answers"].values()) <= read["signatures"].keys()
    for signature, found in read["signatures"].items():
        assert found["inputs"].keys() == read["examples"][signature].keys() == requests[name][signature].keys()
        for key, value in {**found["inputs"], **found["outputs"]}.items():
            assert value["shape"][0] is None
            assert value["meaning"], key
            if value["dtype"] == "string":
                assert "range" not in value
            elif key in UNBOUNDED or (key, name) == ("z", "vae"):
                assert value["range"] is None
            else:
                dtype = "int32" if key == "count" else "float32"
                assert (value["dtype"], value["range"]) == (dtype, BOUNDS.get(key, [0.0, 1.0]))
    if name == "linear_regression":
        found = read["signatures"]["serving_default"]
        assert found["inputs"]["features"]["unit"] == "square_feet, bedrooms"
        assert found["outputs"]["price"]["unit"] == "price"


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_answers_for_pictures_numbers_or_latents_has_an_example_that_can_be_sent(served, name):
    place, _, requests = served
    read = card.read(str(place / name / "1"))
    for kind in read["answers"].keys() - {"tensors"}:
        signature = read["answers"][kind]
        for key, value in read["examples"][signature].items():
            row = requests[name][signature][key][0]
            if isinstance(row, bytes):
                assert base64.b64decode(value["b64"]) == row
            else:
                np.testing.assert_allclose(value, row, rtol=1e-6)


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_are_in_the_range_that_the_card_says(served, name):
    place, _, requests = served
    path = str(place / name / "1")
    read = card.read(path)
    with client.connect(model=path) as model:
        for signature, request in requests[name].items():
            described = read["signatures"][signature]
            answer = model.call(signature, **request)
            for kind, values in (("inputs", request), ("outputs", answer)):
                for key, value in values.items():
                    if limits := described[kind][key].get("range"):
                        assert limits[0] <= np.min(value) <= np.max(value) <= limits[1] + 1e-6


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_printed_curl_commands_are_answered(served, name):
    place, server, _ = served
    docker, *curls = server_configs.commands(str(place), [name], with_configs=False)
    assert docker == (
        f"docker run -p 8500:8500 -p 8501:8501 -v {place}/{name}:/models/{name}:ro -e MODEL_NAME={name} "
        "tensorflow/serving"
    )
    read, asked = card.read(str(place / name / "1")), set()
    for line in curls:
        line = line.replace("localhost:8501", f"127.0.0.1:{server.rest_port}")
        curl, option, data, url = shlex.split(line)
        assert (curl, option) == ("curl", "-d")
        request = json.loads(data)
        signature = request["signature_name"]
        asked.add(signature)
        assert request["inputs"] == {key: [value] for key, value in read["examples"][signature].items()}
        with urllib.request.urlopen(f"http://{url}", data.encode()) as response:
            outputs = json.load(response)["outputs"]
        wanted = read["signatures"][signature]["outputs"]
        assert len(wanted) == 1 or outputs.keys() == wanted.keys()
        if shutil.which("curl"):
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
            assert json.loads(done.stdout)["outputs"] == outputs
    answers = read["answers"]
    assert {answers[kind] for kind in answers.keys() - {"tensors"}} <= asked <= set(answers.values())
