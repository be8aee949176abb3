"""The console command `tf2cases`, and `python -m bin` without a program's name."""

import importlib
import signal
import sys

import pytest
from program_call import exit_status
from test_help import names_in

from tf2cases import quiet
from tf2cases.programs import benchmark, command, train_dcgan, train_mnist


@pytest.fixture
def called(monkeypatch, capsys):
    """What `called(*words)` gives: the exit status, standard output and standard error of a command line."""
    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(quiet, "_guarded", False)

    def call(*words):
        monkeypatch.setattr(sys, "argv", list(words))
        with pytest.raises(SystemExit) as ended:
            command.main()
        signal.signal(signal.SIGINT, handler)
        return ended.value.code or 0, *capsys.readouterr()

    return call


INSTALLED, CHECKOUT = "/venv/bin/tf2cases", "/checkout/bin/__main__.py"


@pytest.mark.parametrize(("path", "usage"), [(INSTALLED, "tf2cases NAME"), (CHECKOUT, "python -m bin.NAME")])
@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("--helpshort",), ("--helpfull",)])
def test_it_lists_every_program_with_a_line(called, repo, path, usage, words):
    status, out, err = called(path, *words)
    assert (status, err) == (0, "")
    title, rest = out.split(f"\n\nusage: {usage} [flags]\n\n")
    listed = dict(line.split(maxsplit=1) for line in rest.splitlines())
    assert "\n" not in title
    assert listed.keys() == names_in(repo / "tf2cases" / "programs")
    for name, line in listed.items():
        module = importlib.import_module(f"tf2cases.programs.{name}")
        assert line == module.__doc__.splitlines()[0]
        assert hasattr(module, "main") or hasattr(module, "PARTS")


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        (train_dcgan, ["--dataset=cats"]),
        (train_mnist, ["--steps=0"]),
        (train_mnist, ["--no_such_flag"]),
        (train_mnist, ["--version"]),
        (benchmark, ["training", "--rounds=0"]),
        (benchmark, ["chess"]),
    ],
)
def test_a_program_answers_as_when_called_through_its_launcher(called, capsys, program, arguments):
    status = exit_status(program, *arguments)
    answer = capsys.readouterr()
    name = program.__name__.rpartition(".")[2]
    assert called(INSTALLED, name, *arguments) == (status, *answer)
    assert called(CHECKOUT, name, *arguments) == (status, *answer)


@pytest.mark.parametrize("words", [("train_mnist", "--help"), ("benchmark",), ("benchmark", "training", "--help")])
def test_help_shows_commands_as_they_were_called(called, words):
    _, installed, _ = called(INSTALLED, *words)
    _, checkout, _ = called(CHECKOUT, *words)
    assert f"\nusage: python -m bin.{words[0]} " in checkout
    assert f"\nusage: tf2cases {words[0]} " in installed
    assert "bin." not in installed
    assert installed.replace("tf2cases ", "") == checkout.replace("python -m bin.", "").replace("tf2cases ", "")


def test_a_message_names_the_command_to_run_next_as_this_one_was_called(called, monkeypatch):
    def interrupted(values):
        raise KeyboardInterrupt("the run is complete; export it with `python -m bin.export --workdir=w`")

    monkeypatch.setattr(train_mnist, "main", interrupted)
    status, _, err = called(INSTALLED, "train_mnist")
    message = "train_mnist: interrupted; the run is complete; export it with `tf2cases export --workdir=w`.\n"
    assert (status, err) == (130, message)


def test_an_unknown_program_is_refused_with_the_known_ones(called):
    status, out, err = called(INSTALLED, "train_chess")
    assert (status, out) == (2, "")
    assert err.startswith(
        "tf2cases: the first argument is 'train_chess', but must be one of benchmark, check_export, classify_image, "
    )
    assert err.count("\n") == 1


def test_a_mistyped_program_is_recognised(called):
    for path in (INSTALLED, CHECKOUT):
        status, out, err = called(path, "trian_mnist")
        assert (status, out) == (2, "")
        assert err.endswith("; did you mean train_mnist?\n")
    assert called(INSTALLED, "benchmark", "trainig")[2].endswith("; did you mean training?\n")
    assert "did you mean" not in called(INSTALLED, "xyz")[2]


def test_it_knows_its_version(called):
    assert called(INSTALLED, "--version")[1].startswith("tf2cases 0.")
