"""Downloads from a server of our own: complete and checked, or absent."""

import base64
import functools
import hashlib
import http.server
import threading

import pytest

from tf2cases.data import download
from tf2cases.errors import RunError, UsageError

BODY = bytes(range(256)) * 5000
MD5 = hashlib.md5(BODY).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends the body with what the path asks for: /short breaks off, /google sends its checksum."""

    def do_HEAD(self):
        self.send_response(200 if self.path != "/gone" else 404)
        self.send_header("Content-Length", str(len(BODY)))
        if self.path.startswith("/google"):
            digest = hashlib.md5(BODY if self.path == "/google" else b"other").digest()
            self.send_header("x-goog-hash", "crc32c=AAAAAA==")
            self.send_header("x-goog-hash", f"md5={base64.b64encode(digest).decode()}")
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        self.wfile.write(BODY[: len(BODY) // 2] if self.path == "/short" else BODY)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, 0.01))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_comes_with_a_progress_bar(server, tmp_path, capsys):
    path = tmp_path / "deep" / "file.bin"
    download.fetch(f"{server}/file", str(path), MD5)
    assert path.read_bytes() == BODY
    assert "file.bin: 100%" in capsys.readouterr().err
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_the_servers_own_checksum_is_used_if_there_is_no_other(server, tmp_path):
    download.fetch(f"{server}/google", str(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == BODY
    with pytest.raises(RunError, match=rf"the md5 checksum is {MD5}, but must be 795f3202b17cb6bc3d4b771d8c6c9eaf"):
        download.fetch(f"{server}/google_wrong", str(tmp_path / "b"))


@pytest.mark.parametrize(
    ("name", "md5", "message"),
    [
        ("file", "0" * 32, "the md5 checksum is .*, but must be 0000"),
        ("short", None, "received 640,000 bytes, but must be 1,280,000"),
    ],
)
def test_what_is_wrong_leaves_nothing_behind(name, md5, message, server, tmp_path):
    with pytest.raises(RunError, match=message):
        download.fetch(f"{server}/{name}", str(tmp_path / "a"), md5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/file", "/gone"])
def test_out_of_reach_says_what_to_fetch_and_where_to_put_it(url, server, tmp_path):
    url = server + url if url.startswith("/") else url
    place = str(tmp_path / "a")
    with pytest.raises(UsageError, match=rf"^{url} cannot be reached \(.*\); download .* put it at {place}\. Hm"):
        download.fetch(url, place, help="Hm.")
