"""The README's commands and its Python code work as printed, in any order, twice, in one folder."""

import importlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys

import httpx
import matplotlib
import numpy as np
import pytest
from PIL import Image
from program_call import exit_status

from tf2cases import viz
from tf2cases.data import idx, mnist

# Programs -> flags that make their runs short. A later flag overrides an earlier one.
QUICK = {
    "train_linear_regression": ["--epochs=20"],
    "train_mnist": ["--steps=2", "--batch_size=8"],
    "train_captcha": ["--steps=2", "--batch_size=8", "--train_count=20", "--test_count=10", "--workers=1"],
    "train_autoencoder": ["--steps=2", "--batch_size=8"],
    "train_vae": ["--steps=2", "--batch_size=8"],
    "train_dcgan": ["--steps=2", "--batch_size=4", "--sample_every=2"],
    "make_captchas": ["--count=30", "--workers=1", "--overwrite"],
    "sample_vae": ["--grid=3"],
    "make_wordcloud": ["--max_words=20"],
}
# Parts of commands that need published weights, an archive, or minutes.
LEFT_OUT = ("celeba", "classify_image", "export_inception", "retrain", "benchmark", "toy_faces", "--help", "bin.train ")
# These need a server, and have a test of their own.
OF_SERVERS = ("bin.serve", "--server", "--rest")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the README's commands name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tf2cases.serving.verify.in_fresh_process", lambda *_: None)
    digits = mnist.load_sample().test
    os.makedirs("DIR")
    for name, count in (("train", 40), ("t10k", 20)):
        idx.write(f"DIR/{name}-images-idx3-ubyte", digits["images"][:count, :, :, 0])
        idx.write(f"DIR/{name}-labels-idx1-ubyte", digits["labels"][:count])
    os.makedirs("photos")
    rng = np.random.default_rng(0)
    for i in range(60):
        Image.fromarray(rng.integers(0, 256, [70, 70, 3], np.uint8)).save(f"photos/{i}.jpg")
    for name in ("digit.png", "noisy.png"):
        viz.write_png(name, digits["images"][0])
    viz.write_png("shape.png", np.kron(np.eye(2, dtype=np.uint8), np.full([80, 80], 255, np.uint8))[:, :, None])
    shutil.copy(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), "MyFont.otf")
    with open("novel.txt", "w", encoding="utf-8") as file:
        file.write("The whale swam and the sailor saw the whale under the moon. " * 30)
    with open("小说.txt", "w", encoding="utf-8") as file:
        file.write("花果山上的猴王带着众猴在水帘洞里喝酒。" * 30)
    shutil.copy("shape.png", "图片.png")
    with open("words.csv", "w", encoding="utf-8") as file:
        file.write("whale,10\nmoon,5\n")
    return tmp_path


def commands(page):
    """The commands of the README, in its order, without those in `LEFT_OUT` and `OF_SERVERS`."""
    return [line for line in all_commands(page) if not any(part in line for part in (*LEFT_OUT, *OF_SERVERS))]


def all_commands(page):
    found = re.findall(r"(?:^|`)(python -m bin\.[^`\n]+)", page, re.MULTILINE)
    return list(dict.fromkeys(line.partition("  #")[0].strip() for line in found))


def run(command):
    """Runs a command in its quick form and returns its exit status."""
    _, _, program, *arguments = shlex.split(command)
    name = program.removeprefix("bin.")
    arguments = [argument for argument in arguments if not argument.startswith("--epochs")]
    module = importlib.import_module(f"tf2cases.programs.{name}")
    quick = QUICK.get(name, [])
    if any(argument.startswith("--data_dir=") for argument in arguments):  # a part of it is held out for testing
        quick = [flag for flag in quick if not flag.startswith("--test_count=")]
    return exit_status(module, *arguments, *quick)


def test_every_command_works_in_any_order_twice(folder, repo, capsys):
    found = commands((repo / "README.md").read_text())
    makers = [line for line in found if re.match(r"python -m bin\.(train|make)_", line)]
    users = [line for line in found if line not in makers]
    assert len(makers) >= 15
    assert len(users) >= 6
    # A captcha reader needs the captchas that another command makes.
    makers.sort(key=lambda line: "make_captchas" not in line)
    given = set(os.listdir())
    for line in [*makers, *users, makers[0], *reversed(makers[1:]), *reversed(users)]:
        capsys.readouterr()
        assert run(line) == 0, f"{line}\n{capsys.readouterr().err}"
    ignored = {line.strip("/") for line in (repo / ".gitignore").read_text().splitlines()}
    assert set(os.listdir()) - given <= ignored
    left_out = [line for line in all_commands((repo / "README.md").read_text()) if line not in found]
    assert set(re.findall(r"--(?:out|features)=(\S+)", "\n".join(left_out))) <= ignored


def test_the_python_code_works(folder, repo, capsys, monkeypatch):
    page = (repo / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in (block for block in blocks if "localhost" not in block):
        exec(compile(block.replace('"epochs": 5', '"steps": 30'), "README.md", "exec"), {})
    assert re.search(r"^\[\d \d \d\]$", capsys.readouterr().out, re.MULTILINE)
    assert os.path.getsize("cloud.png") > 1000


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_the_serving_section_works_as_printed(folder, repo, capsys):
    page = (repo / "README.md").read_text()
    ports = {"8500": str(free_port()), "8501": str(free_port())}

    def here(text):
        return text.replace("localhost:8500", f"localhost:{ports['8500']}").replace("8501", ports["8501"])

    commands = [here(line) for line in all_commands(page) if any(part in line for part in OF_SERVERS)]
    serves = [line for line in commands if "bin.serve" in line]
    questions = [line for line in commands if line not in serves]
    assert serves[0] == "python -m bin.serve"  # serves the package's model, and is tested with the playground
    serve, page_for_a_backend = serves[1:]
    assert len(questions) == 3
    train_mnist = "python -m bin.train_mnist --dataset=mnist_sample --workdir=runs/digits"
    assert run(train_mnist) == 0
    arguments = [*shlex.split(serve)[1:], f"--port={ports['8500']}", f"--rest_api_port={ports['8501']}"]
    environment = {**os.environ, "PYTHONPATH": str(repo)}
    server = subprocess.Popen([sys.executable, *arguments], env=environment)
    front_port = free_port()
    front_arguments = [*shlex.split(page_for_a_backend)[1:], f"--rest_api_port={front_port}"]
    front = subprocess.Popen([sys.executable, *front_arguments], env=environment)
    try:
        answers = []
        for line in ["python -m bin.predict --model=exports/digits digit.png", *questions]:
            capsys.readouterr()
            assert run(f"{line} --deadline=60 --retries=100" if "localhost" in line else line) == 0
            answers.append(capsys.readouterr().out.splitlines())
        assert answers[1] == answers[0]
        assert json.loads(answers[2][0])["label"] == answers[0][0].split("\t")[1]
        assert answers[3][0] == answers[0][0]
        assert answers[3][1].startswith("100 requests of 1 row, 4 at a time: ")
        (block,) = (b for b in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "localhost" in b)
        exec(compile(here(block), "README.md", "exec"), {})
        assert capsys.readouterr().out.split()[0] == answers[0][0].split("\t")[1]
        if shutil.which("curl"):
            (curl,) = re.findall(r"^curl .*\\\n.*$", page, re.MULTILINE)
            done = subprocess.run(["bash", "-c", here(curl)], capture_output=True, text=True, check=True)
            assert json.loads(done.stdout)["outputs"]["label"] == [answers[0][0].split("\t")[1]]
        models = httpx.get(f"http://127.0.0.1:{front_port}/playground/models.json").json()["models"]
        assert [model["name"] for model in models] == ["digits"]
    finally:
        for process in (server, front):
            process.terminate()
            process.wait(30)
