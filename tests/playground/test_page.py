"""The page in a browser: languages, colours, keyboard, errors, and the page in front of another server."""

import json
import pathlib
import urllib.request

import pytest

AXE = pathlib.Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SEVEN = [[[0.4, 0.2], [0.6, 0.2], [0.55, 0.4], [0.5, 0.6], [0.47, 0.8]]]
VIEWS = ("digits", "houses")


def serious_violations(page):
    """What axe-core finds serious or critical: (rule, impact, elements) each."""
    # It is a program of the test and not of the page, whose policy would refuse it as a script element.
    page.driver.execute_script(AXE.read_text())
    found = page.run(
        "return (await axe.run(document)).violations.map((v) => [v.id, v.impact, v.nodes.map((n) => n.html)])"
    )
    return [violation for violation in found if violation[1] in ("serious", "critical")]


def listed(address):
    with urllib.request.urlopen(f"{address}/playground/models.json") as answer:
        return {model["name"]: model for model in json.load(answer)["models"]}


def test_the_language_is_the_browsers_and_can_be_switched_and_is_remembered(page):
    page.open("digits", language="zh")
    assert page.text("h1") == "手写数字"
    assert page.script("return document.documentElement.lang") == "zh-CN"
    page.click("English")
    assert page.wait("return document.querySelector('h1').innerText === 'Digits'")
    page.open("houses", language="zh")
    assert page.text("h1") == "House prices"


def test_every_text_is_there_in_both_languages(page):
    page.open("digits")
    code = """
    const {views} = await import("/playground/views/all.js");
    return views.map(({id, texts: {en, zh}}) => [id, Object.keys(en), Object.keys(zh)]);
    """
    for view, english, chinese in page.run(code):
        assert sorted(english) == sorted(chinese), view
        assert {"title", "summary"} <= set(english)


def test_the_page_lists_what_is_served_and_the_card_where_there_is_one(server):
    found = listed(server)
    assert found.keys() >= {"digits", "mlp", "houses"}
    assert found["digits"]["card"]["config"]["model"] == "small_cnn"
    assert found["mlp"]["card"] is None
    images = found["mlp"]["signatures"]["serving_default"]["inputs"]["images"]
    assert images == {"dtype": "float32", "shape": [None, 28, 28, 1]}


def post(address, path, body):
    """(status, JSON) of a POST request."""
    request = urllib.request.Request(address + path, json.dumps(body).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_page_in_front_of_another_server_shows_the_same_models_and_gives_the_same_answers(page, server, in_front):
    behind, front = listed(server), listed(in_front)
    assert front.keys() == {"digits", "mlp", "houses"}
    for name, model in front.items():
        assert model["signatures"] == behind[name]["signatures"]
    body = {"inputs": {"features": [[2104.0, 3.0], [1600.0, 3.0]]}}
    for name in ("houses", "none"):
        assert post(in_front, f"/v1/models/{name}:predict", body) == post(server, f"/v1/models/{name}:predict", body)
    shown = []
    for address in (server, in_front):
        page.open("digits", address=address)
        page.draw(SEVEN)
        page.wait("const data = document.querySelector('#view').dataset; return data.read === data.drawn")
        assert page.text(".answer") == "7"
        shown.append(sorted(page.texts(".sure")))
    assert shown[0] == shown[1]


def test_the_request_can_be_copied_and_is_the_one_that_was_made(page):
    page.open("houses")
    page.wait("return document.querySelector('.time').innerText.endsWith(' ms')")
    code = """
    const api = await import("/playground/api.js");
    const request = {url: "http://a/v1/models/b:predict", body: JSON.stringify(args[0])};
    return [api.curl(request), api.shortCurl(request)];
    """
    body = {"signature_name": "s", "inputs": {"x": [1, 2, 3, 4, 5], "image_bytes": [{"b64": "A" * 50}]}}
    whole, short = page.run(code, body)  # the driver sorts the keys
    assert whole == f"curl -d '{json.dumps(body, separators=(',', ':'), sort_keys=True)}' http://a/v1/models/b:predict"
    assert short.startswith("""curl -d '{"inputs":{"image_bytes":[{"b64":"AAAAAAAAAAAAAAAAAAAAAAAA…"}],"x":[1,2,…]}""")
    assert len(short) < len(whole)
    quoted, _ = page.run(code, {"inputs": "it's"})
    assert quoted == """curl -d @- http://a/v1/models/b:predict <<'JSON'\n{"inputs":"it's"}\nJSON"""


def test_only_the_newest_of_the_waiting_requests_is_made(page):
    page.open("digits")
    code = """
    const { Newest } = await import("/playground/api.js");
    const newest = new Newest(), made = [];
    const task = (i) => () => new Promise((resolve) => { made.push(i); setTimeout(() => resolve(i), 20); });
    const answers = await Promise.all([1, 2, 3, 4].map((i) => newest.run("key", task(i))));
    answers.push(await newest.run("key", task(5)));
    return [made, answers];
    """
    assert page.run(code) == [[1, 4, 5], [1, None, None, 4, 5]]


def test_an_error_of_the_server_is_one_sentence_on_the_page(page):
    page.open("houses")
    page.wait("return document.querySelector('.price').innerText")
    page.expected_errors = ("status of 400",)
    # The second slider's row is too short, as if the page had a fault.
    page.script("window.original = fetch; window.fetch = (url, options) => original(url, {...options, body: '{}'})")
    page.script("const s = document.querySelector('.sliders input'); s.dispatchEvent(new Event('input'))")
    message = page.wait("return document.querySelector('#message').innerText")
    assert message.endswith(".")
    page.script("window.fetch = original; document.querySelector('.sliders input').dispatchEvent(new Event('input'))")
    assert page.wait("return document.querySelector('#message').hidden")


def test_a_server_that_is_gone_is_told(page):
    page.open("houses")
    page.wait("return document.querySelector('.price').innerText")
    page.script("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    page.script("const s = document.querySelector('.sliders input'); s.dispatchEvent(new Event('input'))")
    message = page.wait("return document.querySelector('#message').innerText")
    assert message == "The server does not answer. Is bin.serve still running?"


def test_a_case_without_a_model_shows_the_command_that_trains_it(page):
    page.open("digits")
    code = """
    const { views } = await import("/playground/views/all.js");
    const own = views.find((view) => view.id === "houses");
    own.models = () => [];
    location.hash = "#houses";
    await new Promise((resolve) => setTimeout(resolve, 100));
    """
    page.run(code)
    assert page.texts(".missing code")[0] == "python -m bin.train_linear_regression"
    assert page.script("return document.querySelector('#request').hidden")


def test_moving_the_sliders_moves_the_price(page):
    page.open("houses")
    first = page.wait("return document.querySelector('.price').innerText")
    assert first.startswith("$")
    slider = page.driver.find_element("css selector", ".sliders input")
    slider.send_keys(*["\ue014"] * 20)  # arrow right
    area = page.text(".slider-value")
    assert area == "2,200 sq ft"
    page.wait("return document.querySelector('.price').innerText !== arguments[0]", first)
    # 0.9 standard deviations of the price for one of the area, see `tiny_models`.
    more = 0.9 * 125040 / 794.7 * 200
    page.wait(
        "return Math.abs(document.querySelector('.price').innerText.replace(/[$,]/g, '') - arguments[0]) < 2",
        float(first[1:].replace(",", "")) + more,
    )


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: npm install --prefix tests/playground")
def test_axe_finds_nothing_serious(page, view, dark):
    page.open(view, dark=dark)
    if view == "digits":
        page.draw(SEVEN)
        page.draw([[[0.2, 0.2], [0.2, 0.8]]])
    page.wait("return document.querySelector('.time').innerText.endsWith(' ms')")
    assert serious_violations(page) == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_phone_needs_no_scrolling_to_the_side(page, view, language):
    page.open(view, width=400, language=language)
    assert page.script("return document.documentElement.scrollWidth") <= 400


@pytest.mark.parametrize("language", ["en", "zh"])
def test_on_a_phone_the_names_of_the_sliders_are_not_cut_in_the_picture_of_the_plane(page, language):
    page.open("houses", language=language, width=400)
    page.wait("return document.querySelector('.price').innerText")
    page.script("""
        window.starts = [];
        const draw = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
          const parts = { left: 0, center: 0.5, right: 1 };
          starts.push(x - parts[this.textAlign] * this.measureText(text).width);
          draw.call(this, text, x, y);
        };
        document.querySelector(".sliders input").dispatchEvent(new Event("input"));
    """)
    assert min(page.wait("return starts.length >= 2 && starts")) >= 0
