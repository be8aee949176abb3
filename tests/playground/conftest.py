"""A real server with small models, and a browser that looks at its page.

A test of the page uses the fixture `page`. It fails if the page writes an error to the console, or asks another host.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import pytest
from handwritings import DRAW_ON

SECONDS = 120  # for anything that should happen, on a busy machine
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as opened:
        return opened.getsockname()[1]


@contextlib.contextmanager
def serving(repo, *arguments):
    """The address of `bin.serve` on a free REST port, without gRPC."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bin.serve", f"--rest_api_port={port}", *map(str, arguments)],
        cwd=repo,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    guard = threading.Timer(SECONDS, process.kill)
    guard.start()
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("serving "):
                guard.cancel()
                break
        else:
            raise AssertionError("".join(lines))
        # Otherwise it waits for somebody to read what it says later.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield f"http://127.0.0.1:{port}"
    finally:
        guard.cancel()
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """A folder with a version 1 of each of `tiny_models.MODELS`."""
    import tiny_models

    place = tmp_path_factory.mktemp("playground") / "exports"
    tiny_models.save_all(place)
    return place


@pytest.fixture(scope="session")
def server(repo, exports):
    """The address of a server of these models."""
    with serving(repo, f"--model_base_path={exports}", "--port=0", "--enable_model_warmup=false") as address:
        yield address


@pytest.fixture(scope="session")
def in_front(repo, server):
    """The address of the page in front of that server; it knows the models' names only."""
    with serving(repo, f"--backend={server}", "--models=digits,mlp,houses") as address:
        yield address


@pytest.fixture(scope="session")
def driver():
    """A browser without a window; the tests of the page are skipped where there is none."""
    selenium = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install 'tf2cases[test]'")
    browser = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    chromedriver = shutil.which("chromedriver")
    if browser is None or chromedriver is None:
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = selenium.Chrome(options=options, service=selenium.ChromeService(chromedriver))
    started.set_script_timeout(SECONDS)
    yield started
    started.quit()


class Page:
    """The page in the browser.

    Attributes:
      driver: selenium's, for what has no method here.
      address, own: of the server, and HOST:PORT of all servers whose pages were opened.
    """

    def __init__(self, driver, address):
        self.driver, self.address, self.own = driver, address, set()
        self.expected_errors = ()  # patterns of messages in the console that belong to the test

    def open(self, view="", *, address=None, language="en", width=1200, dark=False):
        """Shows a view, and waits until it is there."""
        self.address = address or self.address
        self.own.add(urllib.parse.urlsplit(self.address).netloc)
        command = self.driver.execute_cdp_cmd
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        command("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        command("Emulation.setEmulatedMedia", {"features": [scheme]})
        agent = self.driver.execute_script("return navigator.userAgent")
        tags = {"en": "en-US,en", "zh": "zh-CN,zh"}[language]
        command("Emulation.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": tags})
        self.driver.get("about:blank")  # otherwise, only the part after # changes
        self.driver.get(f"{self.address}/playground/#{view}")
        self.wait("return document.documentElement.dataset.ready")
        return self

    def script(self, code, *arguments):
        """What JavaScript returns."""
        return self.driver.execute_script(code, *arguments)

    def run(self, code, *arguments):
        """What asynchronous JavaScript returns: the body of an async function; its `args` are the arguments."""
        wrapped = (
            "const done = arguments[arguments.length - 1]; const args = [...arguments].slice(0, -1);"
            f"(async () => {{ {code} }})().then((value) => done({{value}}), (error) => done({{error: String(error)}}));"
        )
        answer = self.driver.execute_async_script(wrapped, *arguments)
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    def wait(self, code, *arguments, seconds=SECONDS):
        """Waits until JavaScript returns something true, and returns it."""
        end = time.monotonic() + seconds
        while True:
            if value := self.script(code, *arguments):
                return value
            assert time.monotonic() < end, f"this has not happened: {code}\n{self.text('main')}"
            time.sleep(0.02)

    def text(self, selector):
        """The text of an element."""
        return self.script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def texts(self, selector):
        """The texts of all such elements."""
        return self.script("return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)", selector)

    def click(self, text, selector="button"):
        """Clicks the button with this text."""
        code = "return [...document.querySelectorAll(arguments[0])].find((e) => e.innerText.trim() === arguments[1])"
        self.wait(code, selector, text).click()

    def draw(self, strokes, selector=".pad-canvas"):
        """Draws strokes, lists of [x, y] as parts of the pad's width and height, in events as a hand makes them."""
        self.script(DRAW, strokes, selector)

    def complaints(self):
        """What went wrong since the last call: errors in the console, and requests to other hosts."""
        found = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        found = [text for text in found if not any(re.search(pattern, text) for pattern in self.expected_errors)]
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = urllib.parse.urlsplit(message["params"]["request"]["url"])
                if url.scheme not in ("data", "blob", "about", "chrome") and url.netloc not in self.own:
                    found.append(f"a request to {url.geturl()}")
        return found


DRAW = f"{DRAW_ON}const [strokes, selector] = arguments; drawOn(document.querySelector(selector), strokes);"


@pytest.fixture
def page(driver, server):
    """A `Page`; the test fails if it has errors in the console, or asks another host."""
    opened = Page(driver, server)
    opened.complaints()  # those of the test before
    yield opened
    found = opened.complaints()
    driver.execute_script("localStorage.clear()")
    driver.get("about:blank")
    assert not found
