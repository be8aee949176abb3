"""The page as a client without a browser sees it: paths, types, headers, and everything that is not the page."""

import asyncio
import re

import httpx
import pytest
from starlette.responses import PlainTextResponse

from tf2cases.playground import STATIC
from tf2cases.playground.site import Site

MODELS = [{"name": "digits", "version": "1", "signatures": {}, "card": None}]


async def models():
    return MODELS


def site():
    return Site(PlainTextResponse("not the page", 418), models)


class Client:
    """Asks the application without a server."""

    def request(self, method, path, **options):
        async def ask():
            transport = httpx.ASGITransport(site())
            async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    def get(self, path, **options):
        return self.request("GET", path, **options)


@pytest.fixture
def client():
    return Client()


def test_the_root_leads_to_the_page(client):
    for path in ("/", "/playground"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (307, "playground/")
    assert client.get("/", follow_redirects=True).text == (STATIC / "index.html").read_text()


TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".png": "image/png"}
TYPES |= {
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}


@pytest.mark.parametrize("path", [pytest.param(p, id=str(p.relative_to(STATIC))) for p in STATIC.rglob("*.*")])
def test_every_file_is_sent_with_its_type(client, path):
    answer = client.get(f"/playground/{path.relative_to(STATIC)}")
    assert (answer.status_code, answer.content) == (200, path.read_bytes())
    assert answer.headers["content-type"] == TYPES.get(path.suffix, "text/plain; charset=utf-8")


def test_what_the_pages_modules_and_styles_name_is_there():
    for path in STATIC.rglob("*.js"):
        for name in re.findall(r'from "(\.[^"]+)"', path.read_text()):
            assert (path.parent / name).is_file(), f"{path.name} imports {name}"


def test_a_browser_asks_again_and_is_told_that_nothing_has_changed(client):
    first = client.get("/playground/app.js")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/playground/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/", "/playground/", "/playground/app.js", "/playground/models.json", "/playground/no"]
)
def test_the_page_may_load_only_what_is_its_own(client, path):
    policy = dict(part.strip().split(" ", 1) for part in client.get(path).headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "'self' blob: data:"
    assert {value for key, value in policy.items() if key not in ("default-src", "img-src")} == {"'self'", "'none'"}


def test_the_head_of_a_file_has_no_body(client):
    answer = client.request("HEAD", "/playground/app.js")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len((STATIC / "app.js").read_bytes())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(client, method):
    for path in ("/", "/playground/app.js", "/playground/models.json"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
        assert answer.text == f"{method} is not possible here: the page has only GET and HEAD.\n"


def test_the_models_are_listed(client):
    answer = client.get("/playground/models.json")
    assert (answer.json(), answer.headers["content-type"]) == ({"models": MODELS}, "application/json")


def test_the_code_of_the_cases_can_be_read_and_no_other(client, repo):
    answer = client.get("/playground/source/tf2cases/cases/mnist.py")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == (repo / "tf2cases/cases/mnist.py").read_text()
    for name in ("setup.py", "tf2cases/errors.py", "tf2cases/cases/none.py", "tf2cases/cases/..%2Ferrors.py"):
        assert client.get(f"/playground/source/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/v1/models/a", "/v2", "/playgrounds", "/favicon.ico", "/v1/models/a:predict"])
def test_other_paths_are_not_the_pages(client, path):
    for method in ("GET", "POST"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.text) == (418, "not the page")
        assert "content-security-policy" not in answer.headers


@pytest.mark.parametrize(
    "path", ["../__init__.py", "../../errors.py", "/etc/passwd", "//etc/passwd", "a/../../site.py", "..\\site.py", "\0"]
)
def test_no_path_leads_out_of_the_folder(path):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": f"/playground/{path}", "headers": [], "query_string": b""}
    asyncio.run(site()(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    assert (sent[0]["status"], body) == (404, b"The page has no such file.\n")
