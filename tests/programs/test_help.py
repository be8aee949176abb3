"""Every program answers --help and mistakes in its flags before TensorFlow is imported."""

import json
import os
import re
import subprocess
import sys

import pytest

from tf2cases.programs import benchmark

NOT_PROGRAMS = {
    *("__init__", "case_programs", "command", "config_flags", "exports", "given_pictures", "inception_programs"),
    *("program", "server_configs"),
}
# Of data that comes with the package; they do not.
MAKERS = {"make_digit_model", "make_masks", "make_mnist_sample", "make_playground_pictures"}

# Runs command lines as `python -m` does, one after the other, and says how each ended. TensorFlow is not there.
_CODE = """
import contextlib, io, json, runpy, sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # an import fails
answers = []
for name, *flags in json.loads(sys.argv[1]):
    sys.argv, status = [name, *flags], None
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_module(f"bin.{name}", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            status = ended.code or 0
    answers.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""


def names_in(folder):
    return {name[:-3] for name in os.listdir(folder) if name.endswith(".py")} - NOT_PROGRAMS


@pytest.fixture(scope="module")
def answers(repo):
    """What `answers(commands)` gives: [exit status, standard output, standard error] of each, from a fresh process."""

    def run(commands):
        process = subprocess.run(
            [sys.executable, "-c", _CODE, json.dumps(commands)],
            env={**os.environ, "PYTHONPATH": str(repo)},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(process.stdout)

    return run


def test_every_program_has_a_launcher(repo):
    programs = names_in(repo / "tf2cases" / "programs")
    assert names_in(repo / "bin") == programs | MAKERS | {"__main__"}
    launcher = (
        '"""Launcher of `tf2cases.programs.{0}`."""\n\nfrom tf2cases.programs import {1}, {2}\n\n'
        'if __name__ == "__main__":\n    program.run({0})\n'
    )
    for name in programs:
        assert (repo / "bin" / f"{name}.py").read_text() == launcher.format(name, *sorted([name, "program"]))


def test_every_program_explains_itself_without_tensorflow(repo, answers):
    names = sorted(names_in(repo / "bin") - {"benchmark", "__main__"})
    for name, (status, out, err) in zip(names, answers([[name, "--help"] for name in names]), strict=True):
        assert (status, err) == (0, ""), name
        assert f"\nusage: python -m bin.{name} [flags]" in out
        assert "  --help: Show this help." in out


def test_all_three_calls_for_help_are_answered_alike(repo, answers):
    names = sorted(names_in(repo / "bin") - {"__main__"})
    first, *others = ([[name, form] for name in names] for form in ("--help", "--helpshort", "--helpfull"))
    expected = answers(first)
    for commands in others:
        assert answers(commands) == expected


def test_every_benchmark_explains_itself_without_tensorflow(answers):
    commands = [["benchmark"], ["benchmark", "--help"], *(["benchmark", name, "--help"] for name in benchmark.PARTS)]
    listed, again, *helps = answers(commands)
    assert listed == again
    assert listed[0] == 0
    for (name, module), (status, out, err) in zip(benchmark.PARTS.items(), helps, strict=True):
        assert (status, err) == (0, ""), name
        assert f"\nusage: python -m bin.benchmark {name} [flags]" in out
        (line,) = [line for line in listed[1].splitlines() if line.startswith(f"  {name} ")]
        assert line.endswith(module.__doc__.splitlines()[0])
        assert len(line) <= 120


MISTAKES = {
    ("benchmark", "chess"): r"benchmark: the first argument is 'chess', but must be one of training, inference, ",
    ("benchmark", "training", "--cases=chess"): r"benchmark training: --cases has 'chess', but must be one or more of ",
    ("benchmark", "gpu", "--cases=chess"): r"benchmark gpu: --cases has 'chess', but must be one or more of dcgan",
    ("benchmark", "inference", "--batch_sizes=1,x"): r"benchmark inference: --batch_sizes is '1,x', but must be inte",
    ("benchmark", "features", "--rounds=0"): r"benchmark features: .*rounds",
    ("classify_image",): r"classify_image: no picture is given",
    ("classify_image", "--weights=2016", "a.png"): r"classify_image: --weights is '2016', but must be one of 2015, ",
    ("classify_image", "--engine=graph", "--weights=keras", "a.png"): r"classify_image: --engine=graph runs the graph",
    ("denoise", "a.png"): r"denoise: --model is missing",
    ("classify_image", "--model=none", "a.png"): r"classify_image: there is no directory none: a model must be",
    ("evaluate",): r"evaluate: --workdir is missing",
    ("evaluate", "--workdir=none"): r"evaluate: --workdir is 'none', but there is no run in it",
    ("evaluate_dcgan", "--workdir=none"): r"evaluate_dcgan: --workdir is 'none', but there is no run in it",
    ("check_export",): r"check_export: no export is given: name at least one directory",
    ("check_export", "none"): r"check_export: there is no directory none: an export must be a directory",
    ("export", "--workdir=none"): r"export: --workdir is 'none', but there is no run in it",
    ("export",): r"export: --workdir is missing: it must be the folder of a run, or --all must be given\.",
    (
        "export",
        "--all",
        "--workdir=none",
    ): r"export: --workdir is 'none', but there is no run in it; with --all it must be a folder",
    ("export", "--all", "--step=1"): r"export: --step is 1, but must be given without --all",
    ("export", "--all", "--publish_as=a"): r"export: --publish_as is 'a', but must be given without --all",
    ("evaluate_dcgan", "--workdir=w", "--samples=2"): r"evaluate_dcgan: --samples is 2, but must be at least 3",
    ("evaluate_dcgan", "--workdir=w", "--features=vgg"): r"evaluate_dcgan: --features is 'vgg', but must be one of ",
    ("export", "--colour=red"): r"export: .*colour",
    ("export_inception", "--weights=2016"): r"export_inception: --weights is '2016', but must be one of 2015, keras, ",
    ("make_captchas", "--out=o", "--count=0"): r"make_captchas: --count is 0, but must be at least 1",
    ("predict", "--model=m"): r"predict: no picture is given",
    ("retrain",): r"retrain: --data_dir is missing: it must be a folder with a sub-folder of pictures per class",
    ("retrain", "--data_dir=none"): r"retrain: --data_dir is 'none', but must be an existing file or folder",
    ("retrain", "--data_dir=.", "--weights=2016"): r"retrain: --weights is '2016', but must be one of 2015, keras, ",
    ("sample_dcgan", "--model=m", "--out=a.gif"): r"sample_dcgan: --out is 'a.gif', but must end in .png",
    ("sample_dcgan", "--model=none", "--out=a.png"): r"sample_dcgan: there is no directory none: a model must be",
    ("sample_vae", "--model=none", "--out=a.png"): r"sample_vae: there is no directory none: a model must be",
    ("sample_vae", "--model=m", "--out=a.png", "--grid=2", "--count=3"): r"sample_vae: --grid=2 and --count=3 were",
    (
        "serve",
        "--model_base_path=",
    ): r"serve: --model_base_path is '', but must be the folder with the versions of a model",
    ("serve", "--model_name=a"): r"serve: --model_name is 'a', but needs --model_base_path",
    ("serve", "--models=digits"): r"serve: --models is 'digits', but needs --backend; --model_base_path serves models",
    ("serve", "--backend=http://a:1"): r"serve: --backend needs --models: the folder with the exports, or the names of",
    ("serve", "--backend=a:1", "--models=digits"): r"serve: --backend is 'a:1', but must be http://HOST:PORT or https",
    (
        "serve",
        "--backend=http://a:1/v1",
        "--models=digits",
    ): r"serve: --backend is 'http://a:1/v1', but must be http://",
    (
        "serve",
        "--backend=http://a:1",
        "--models=none/exports",
    ): r"serve: --models is 'none/exports', but must be the fo",
    (
        "serve",
        "--backend=http://a:1",
        "--models=a,,b",
    ): r"serve: --models is 'a,,b', but must be the folder with the exp",
    (
        "serve",
        "--backend=http://a:1",
        "--models=a",
        "--model_base_path=m",
    ): r"serve: --model_base_path has no effect with"
    r" --backend, since no model is served here",
    (
        "serve",
        "--backend=http://a:1",
        "--models=a",
        "--max_message_bytes=9",
    ): r"serve: --max_message_bytes has no effect",
    (
        "serve",
        "--backend=http://a:1",
        "--models=a",
        "--rest_api_port=0",
    ): r"serve: --rest_api_port is 0, but --backend n",
    (
        "serve",
        "--model_base_path=m",
        "--port=1",
        "--rest_api_port=1",
    ): r"serve: --port and --rest_api_port are both 1, ",
    ("serve", "--model_base_path=m", "--port=0", "--rest_api_port=0"): r"serve: --port and --rest_api_port are 0, but ",
    ("serve", "--model_base_path=m", "--port=70000"): r"serve: .*port",
    ("serve", "--model_config_file=none"): r"serve: --model_config_file is 'none', but must be an existing file",
    ("serve", "--model_base_path=m", "--batching_parameters_file=."): r"serve: --batching_parameters_file requires",
    (
        "serve",
        "--model_base_path=m",
        "--grpc_channel_arguments=a",
    ): r"serve: --grpc_channel_arguments is 'a', but must ",
    ("train_autoencoder", "--noise=0"): r"train_autoencoder: --noise is 0.0, but must be greater than 0",
    ("train_captcha", "--data_dir=none"): r"train_captcha: --data_dir is 'none', but must be an existing file or",
    ("train_captcha", "--test_dir=none"): r"train_captcha: --test_dir is 'none', but must be an existing file or",
    ("train_autoencoder", "--dataset=folder"): r"train_autoencoder: --data_dir is missing: with --dataset=folder",
    ("train_dcgan", "--dataset=folder", "--data_dir=none"): r"train_dcgan: --data_dir is 'none', but must be an exis",
    ("train_captcha", "--loss=hinge"): r"train_captcha: --loss is 'hinge', but must be one of softmax, binary",
    ("train_mnist", "--dropout=no"): r"train_mnist: --dropout is 'no', but must be true or false\.",
    ("train_dcgan", "--g_steps=0"): r"train_dcgan: --g_steps is 0, but must be at least 1",
    ("train_linear_regression", "--csv=none.csv"): r"train_linear_regression: --csv is 'none.csv', but must be an",
    ("train_linear_regression", "stray"): r"train_linear_regression: unexpected argument 'stray'",
    ("train_mnist", "--steps=5", "--epochs=2"): r"train_mnist: --steps=5 and --epochs=2.0 were both given",
    ("train_vae", "--epochs=many"): r"train_vae: .*epochs.*many",
}


def test_mistakes_in_flags_are_told_without_tensorflow(answers):
    for command, (status, out, err) in zip(MISTAKES, answers(list(MISTAKES)), strict=True):
        assert (status, out) == (2, ""), (command, err)
        assert re.match(MISTAKES[command], err), (command, err)
        assert err.count("\n") == 1
