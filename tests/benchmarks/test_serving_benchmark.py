"""The benchmark of the serving program, in small."""

import contextlib
import os
import pathlib
import re
import types

import pytest
from program_call import exit_status

from tf2cases.benchmarks import serving
from tf2cases.errors import RunError
from tf2cases.programs import benchmark

pytest.importorskip("tensorflow_serving", reason="needs the extra [serving]")

NUMBER = r"[\d.,]+ \[[\d.,]+ \.\. [\d.,]+\]"


def check_lines(out):
    assert "20 requests of 3 clients; " in out
    for name in ("gRPC", "REST", "gRPC batched", "REST batched"):
        columns = rf"{NUMBER} requests/s  {NUMBER} ms p50  {NUMBER} ms p95  {NUMBER} ms p99  {NUMBER} CPU ms/request"
        assert re.search(rf"  {name} +{columns}  {NUMBER} MiB\n", out), out
    for port in ("gRPC", "REST"):
        assert re.search(rf"  {port} batched / {port}: requests/s {NUMBER}\n", out)


@pytest.fixture
def servers_in_this_process(repo, monkeypatch):
    """Starting processes takes most of the benchmark's time."""
    monkeypatch.syspath_prepend(str(pathlib.Path(repo, "tests", "server")))
    import running

    @contextlib.contextmanager
    def server(base_path, flags):
        files = [flag.partition("=")[2] for flag in flags if flag.startswith("--batching_parameters_file=")]
        options = {"batching": True, "batching_file": files[0]} if files else {}
        with running.serving(name=serving._NAME, base_path=base_path, **options) as started:
            process = types.SimpleNamespace(pid=os.getpid())
            yield serving._Server(process, started.grpc_port, started.rest_port)

    monkeypatch.setattr(serving, "_server", server)


def test_both_ports_are_asked_with_and_without_batching(servers_in_this_process, capfd):
    assert exit_status(benchmark, "serving", "--requests=20", "--clients=3", "--rounds=1") == 0
    check_lines(capfd.readouterr().out)


@pytest.mark.slow
def test_the_servers_are_processes(repo, monkeypatch, capfd):
    monkeypatch.chdir(repo)
    assert exit_status(benchmark, "serving", "--requests=20", "--clients=3", "--rounds=1") == 0
    check_lines(capfd.readouterr().out)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--requests=0", "--requests is '0', but must be a whole number from 1 to 10000000."),
        ("--clients=1001", "--clients is '1001', but must be a whole number from 1 to 1000."),
        ("--rounds=0", "--rounds is '0', but must be a whole number from 1 to 10000."),
        ("--clients=many", "--clients is 'many', but must be a whole number from 1 to 1000."),
    ],
)
def test_flags_out_of_range_are_refused(flag, message, capsys):
    assert exit_status(benchmark, "serving", flag) == 2
    assert message in capsys.readouterr().err


def test_a_server_that_ends_at_its_start_is_an_error_that_says_why(monkeypatch, tmp_path):
    program = tmp_path / "bin" / "serve.py"
    program.parent.mkdir()
    program.write_text("import sys; sys.exit('there is no model')")
    program.with_name("__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="the server has not started: there is no model"):
        with serving._server(str(tmp_path), []):
            pass
