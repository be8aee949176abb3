"""The views of captchas, denoising, the VAE, generators and photos, in a browser.

Their models are `stand_ins`, which have no cards: the views know them by their signatures.
"""

import base64
import io
import re
import time

import numpy as np
import pytest
from PIL import Image
from test_page import AXE, serious_violations

VIEWS = {"captcha": "captcha", "denoise": "denoiser", "vae": "vae", "gan": "generator", "classify": "photos"}
PRESS = """
const [selector, key, more] = arguments;
document.querySelector(selector).dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, ...more}));
"""
SET = """
const [selector, value] = arguments;
const slider = document.querySelector(selector);
slider.value = value;
slider.dispatchEvent(new Event("input", {bubbles: true}));
"""
# The mean of each canvas, weighted with the place of a pixel, so that pictures that differ have different numbers.
LOOK = """
return [...document.querySelectorAll(arguments[0])].map((canvas) => {
  if (!canvas.width) return 0;
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, i) => sum + value * (1 + i % 1009), 0) / data.length;
});
"""
CENTRE = """
const canvas = document.querySelector(".decoded canvas");
const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let [mass, x, y] = [0, 0, 0];
for (let i = 0; i < data.length / 4; i++) {
  mass += data[4 * i];
  x += data[4 * i] * (i % canvas.width);
  y += data[4 * i] * Math.floor(i / canvas.width);
}
return [x / mass / (canvas.width - 1), y / mass / (canvas.height - 1)];
"""
DRAG = """
const [selector, from, to] = arguments;
const element = document.querySelector(selector);
const box = element.getBoundingClientRect();
const send = (kind, [x, y]) => element.dispatchEvent(new PointerEvent(kind, {pointerId: 1, bubbles: true,
  clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
send("pointerdown", from);
send("pointermove", to);
send("pointerup", to);
"""
# Gives a file to the page as a hand that drops it, or as one that pastes it.
GIVE = """
const [way, name, type, text] = args;
const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
const files = new DataTransfer();
files.items.add(new File([bytes], name, {type}));
if (way === "paste") document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: files}));
else document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true}));
"""


def look(page, selector):
    """A number for each canvas; those of different pictures differ."""
    return page.script(LOOK, selector)


def until(happens, seconds=30):
    """Waits until a function returns something true."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.02)


def photo(color, width, height, form="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), color).save(buffer, form)
    return base64.b64encode(buffer.getvalue()).decode()


# A model without a card.


@pytest.mark.parametrize(("view", "model"), VIEWS.items())
def test_a_model_without_a_card_is_known_by_its_signatures(page, view, model):
    page.open(view)
    listed = page.run("return (await (await fetch('/playground/models.json')).json()).models")
    assert {one["name"]: one["card"] for one in listed}[model] is None
    code = f"return (await import('/playground/views/{view}.js')).view.models(args[0]).map((model) => model.name)"
    assert page.run(code, listed) == [model]
    assert not page.text(".missing")


# Captchas.


def test_a_captcha_is_read_with_the_confidence_of_each_character(page):
    page.open("captcha")
    page.wait("return document.querySelector('.verdict')")
    assert page.texts(".glyph") == ["4", "7", "9", "7"]  # the first one of captchas.json
    assert page.text(".verdict") == "Right."
    # The stand-in is quite sure, and less so of each further character.
    sure = [float(text.removesuffix("%")) for text in page.texts(".certainty")]
    assert len(sure) == 4
    assert all(value > 90 for value in sure)


def test_a_misread_character_is_marked(page):
    page.open("captcha")
    page.wait("return document.querySelector('.verdict')")
    for _ in range(3):  # the fourth one is the one that the stand-in misreads
        page.click("Next")
    page.wait("return document.querySelector('.verdict.wrong')")
    assert page.text(".verdict") == "Wrong: it is 8024."
    assert page.texts(".character.wrong .glyph") == ["O"]


def test_arrow_keys_change_the_captcha(page):
    page.open("captcha")
    page.wait("return document.querySelector('.tile')")
    page.script(PRESS, ".tile", "ArrowRight", {})
    page.wait("return document.querySelector('.row .count').innerText === 'Captcha 2 of 25'")
    page.script(PRESS, ".tile", "ArrowLeft", {})
    page.script(PRESS, ".tile", "ArrowLeft", {})
    page.wait("return document.querySelector('.row .count').innerText === 'Captcha 25 of 25'")


def test_all_captchas_are_read_at_once(page):
    page.open("captcha")
    page.click("Read all 25")
    page.wait("return document.querySelector('.gallery .count').innerText === '24 of 25 right'")
    assert page.script("return [...document.querySelectorAll('.tile')].findIndex((e) => e.matches('.wrong'))") == 3


def test_a_captcha_of_ones_own_is_read(page):
    page.open("captcha")
    page.click("Write your own")
    page.draw([[[0.1, 0.2], [0.1, 0.8]], [[0.3, 0.2], [0.3, 0.8]]])
    page.wait("return document.querySelectorAll('.glyph').length === 4")
    assert not page.text(".verdict")


def test_the_tabulator_key_stops_once_at_the_small_captchas(page):
    page.open("captcha")
    page.wait("return document.querySelector('.verdict')")
    page.click("Next")
    code = "return [...document.querySelectorAll('.tile')].map((tile) => tile.tabIndex)"
    assert page.script(code) == [-1, 0] + 23 * [-1]


def test_the_small_captchas_do_not_touch_the_answer_above_them(page):
    page.open("captcha", width=400)
    page.wait("return document.querySelector('.verdict')")
    code = "return ['.gallery', '.split'].map((name) => document.querySelector(name).getBoundingClientRect())"
    gallery, answer = page.script(code)
    assert gallery["top"] - answer["bottom"] >= 12


# Denoising.


def test_the_noise_slider_changes_the_noise_and_the_answer(page):
    page.open("denoise")
    page.wait("return document.querySelector('.denoised .ratio').innerText")
    clean, noisy, denoised = look(page, ".frame canvas")
    page.script(SET, ".controls input", 0.9)
    until(lambda: look(page, ".frame canvas")[2] != denoised)
    after = look(page, ".frame canvas")
    assert after[0] == clean
    assert after[1] != noisy
    # Without noise, the picture is the clean one; the same noise comes back with the slider.
    page.script(SET, ".controls input", 0)
    assert look(page, ".frame canvas")[:2] == [clean, clean]
    page.script(SET, ".controls input", 0.5)
    until(lambda: look(page, ".frame canvas")[2] == denoised)
    assert look(page, ".frame canvas") == [clean, noisy, denoised]
    page.click("New noise")
    assert look(page, ".frame canvas")[0] == clean
    assert look(page, ".frame canvas")[1] != noisy


def test_the_noise_is_normal_and_the_same_for_a_seed(page):
    page.open("denoise")
    code = "return Array.from((await import('/playground/pictures.js')).normal(args[0], 10000))"
    one, again, other = (np.array(page.run(code, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    for values in (one, other):  # bounds of five standard deviations
        assert abs(values.mean()) < 0.05
        assert abs(values.std() - 1) < 0.036
        assert abs((np.abs(values) < 1).mean() - 0.6827) < 0.024
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_a_drawing_is_disturbed(page):
    page.open("denoise")
    page.click("Draw your own")
    before = look(page, ".frame canvas")
    page.draw([[[0.5, 0.1], [0.5, 0.9]]])
    until(lambda: look(page, ".frame canvas")[2] != before[2])
    assert look(page, ".frame canvas")[0] > before[0]


# The VAE.


def test_dragging_the_point_moves_the_picture(page):
    page.open("vae")
    page.wait("return document.querySelectorAll('.walk-strip canvas').length")
    for x, y in ((0.2, 0.3), (0.8, 0.7)):
        page.script(DRAG, ".latent-plane", [0.5, 0.02], [x, y])
        # The stand-in draws a blob at the place of the point; the plane shows more or less than its pictures do.
        until(lambda: [value > 0.5 for value in page.script(CENTRE)] == [x > 0.5, y > 0.5])  # noqa: B023


def test_arrow_keys_move_the_picture(page):
    page.open("vae")
    page.wait("return document.querySelectorAll('.walk-strip canvas').length")
    page.script(DRAG, ".latent-plane", [0.5, 0.02], [0.5, 0.5])
    page.wait("return document.querySelector('.coordinates').innerText === 'Position 0.00, 0.00'")
    until(lambda: abs(page.script(CENTRE)[0] - 0.5) < 0.02)
    for key, axis, sign in (("ArrowRight", 0, 1), ("ArrowLeft", 0, -1), ("ArrowUp", 1, -1), ("ArrowDown", 1, 1)):
        before = page.script(CENTRE)[axis]
        page.script(PRESS, ".latent-plane", key, {"shiftKey": True})
        until(lambda: sign * (page.script(CENTRE)[axis] - before) > 0.01)  # noqa: B023


def test_a_walk_plays_from_one_point_to_the_other(page):
    page.open("vae")
    page.wait("return document.querySelectorAll('.walk-strip canvas').length === 9")
    page.script(
        "window.seen = new Set(); window.watch = setInterval(() => seen.add("
        "document.querySelector('.coordinates').innerText), 10)"
    )
    page.click("Walk")
    page.wait("return document.querySelector('.slider-value').innerText === '100%'", seconds=20)
    page.script("clearInterval(watch)")
    assert page.script("return seen.size") > 2
    end = page.text(".coordinates")
    page.script(SET, ".slider input", 0)
    page.wait(f"return document.querySelector('.coordinates').innerText !== {end!r}")


def test_a_drawn_digit_lands_at_its_place(page):
    page.open("vae")
    page.wait("return document.querySelectorAll('.walk-strip canvas').length")
    before = page.text(".coordinates")
    page.draw([[[0.2, 0.2], [0.25, 0.2], [0.3, 0.8]]])
    page.wait(f"return document.querySelector('.coordinates').innerText !== {before!r}")
    # The drawing is centred by its mass before it is encoded, and the stand-in tells where the mass is.
    x, y = (float(text) for text in page.text(".coordinates").removeprefix("Position ").split(", "))
    assert abs(x) < 0.2
    assert abs(y) < 0.2


def test_on_a_phone_the_picture_of_a_drawn_digit_is_beside_the_pad(page):
    page.open("vae", width=400)
    page.wait("return document.querySelectorAll('.walk-strip canvas').length")
    assert page.script("return document.querySelector('.echo').hidden")
    page.draw([[[0.2, 0.2], [0.25, 0.2], [0.3, 0.8]]])
    until(lambda: len(set(look(page, ".decoded canvas, .echo"))) == 1)
    code = (
        "return ['.echo', '.small-pad .pad'].map((name) => document.querySelector(name).getBoundingClientRect().bottom)"
    )
    picture, pad = page.script(code)
    assert page.script("return document.querySelector('.echo').clientWidth") > 60
    assert picture < pad
    page.click("Clear")
    assert page.script("return document.querySelector('.echo').hidden")


@pytest.mark.parametrize(("width", "height", "seen"), [(40, 200, (4, 20)), (41, 201, (4, 20)), (199, 99, (20, 10))])
def test_a_drawing_becomes_a_digit_as_those_of_mnist(page, width, height, seen):
    page.open("vae")
    code = """
        const { blank, digit, numbers } = await import("/playground/pictures.js");
        const [canvas, draw] = blank(280, 280, "#fff");
        draw.fillStyle = "#000";
        draw.fillRect(11, 21, ...args);
        return Array.from(numbers(digit(canvas), 1));
    """
    image = np.array(page.run(code, width, height)).reshape(28, 28)
    columns, rows = (np.flatnonzero(image.max(axis=axis) > 0.5) for axis in (0, 1))
    assert (len(columns), len(rows)) == seen  # the longer side has 20 pixels
    assert abs(columns.mean() - 13.5) <= 0.5
    assert abs(rows.mean() - 13.5) <= 0.5
    assert image[rows[1] : rows[-1], columns[1] : columns[-1]].min() > 0.95
    image[rows[0] - 1 : rows[-1] + 2, columns[0] - 1 : columns[-1] + 2] = 0
    assert image.max() < 0.02  # nothing but ink is light


def test_an_empty_drawing_is_black(page):
    page.open("vae")
    code = 'const { blank, digit, numbers } = await import("/playground/pictures.js");'
    values = page.run(f'{code} return Array.from(numbers(digit(blank(50, 50, "#fff")[0]), 1))')
    assert len(values) == 784
    assert not any(values)


# Generators.


def test_a_roll_makes_new_pictures(page):
    page.open("gan")
    page.wait("return document.querySelectorAll('.montage canvas').length === 24")
    first = look(page, ".montage canvas")
    assert len(set(first)) == 24
    page.click("Roll")
    until(lambda: look(page, ".montage canvas")[0] != first[0])
    assert not set(first) & set(look(page, ".montage canvas"))


def test_interpolation_plays_between_two_picked_pictures(page):
    page.open("gan")
    page.wait("return document.querySelectorAll('.montage canvas').length === 24")
    for place in (4, 9):
        page.script("document.querySelectorAll('.montage .tile')[arguments[0]].click()", place)
    pictures = look(page, ".montage canvas")
    code = "return [...document.querySelectorAll('.montage [aria-pressed=true]')].map((tile) => tile.dataset.place)"
    assert page.script(code) == ["1", "2"]

    def at(step):
        page.script(SET, ".way input", step)
        return look(page, ".ends canvas")[1]

    # The ways from and to other pictures are dropped, so its first and last pictures are those that were picked.
    until(lambda: [at(0), at(24)] == [pictures[4], pictures[9]])
    assert at(12) not in pictures
    page.script(
        "window.seen = new Set(); window.watch = setInterval(() => seen.add("
        "document.querySelector('.way .slider-value').innerText), 10)"
    )
    page.click("Play")
    page.wait("return seen.size > 2 && seen.has('100%')")
    page.click("Stop")
    page.script("clearInterval(watch)")


# Photos.


@pytest.mark.parametrize(("way", "color"), [("drop", "red"), ("paste", "blue")])
def test_a_photo_is_classified(page, way, color):
    page.open("classify")
    page.run(GIVE, way, "photo.png", "image/png", photo(color, 60, 40))
    page.wait("return document.querySelectorAll('.bar').length === 5")
    assert page.texts(".bar-label")[0] == color
    scores = [float(text.removesuffix("%")) for text in page.texts(".bar-value")]
    assert scores == sorted(scores, reverse=True)


def test_a_large_photo_is_sent_as_a_small_jpeg(page):
    page.open("classify")
    page.script("""
        window.sent = [];
        const ask = window.fetch;
        window.fetch = (url, options) => { sent.push(options?.body); return ask(url, options); };
    """)
    page.run(GIVE, "drop", "photo.png", "image/png", photo("green", 3000, 1500))
    page.wait("return document.querySelectorAll('.bar').length === 5")
    (body,) = page.run("return sent.filter(Boolean).map((text) => JSON.parse(text))")
    with Image.open(io.BytesIO(base64.b64decode(body["inputs"]["image_bytes"][0]["b64"]))) as image:
        assert (image.format, image.size) == ("JPEG", (1024, 512))


def test_a_file_that_is_no_picture_gives_a_sentence(page):
    page.open("classify")
    page.run(GIVE, "drop", "notes.png", "image/png", base64.b64encode(b"no picture").decode())
    page.wait("return document.querySelector('#message').innerText.startsWith('notes.png is not a picture')")


# Models of other forms than the stand-ins, which answer inside the page.

SHOW_OTHER = """
const [id, signatures, refused] = args;
const { view } = await import(`/playground/views/${id}.js`);
const parts = await import("/playground/parts.js");
const { translator } = await import("/playground/text.js");
const model = { name: "other", version: "1", signatures, card: null };
if (!view.models([model]).length) return "not shown";
window.asked = [];
const filled = ([size, ...rest]) => Array.from({ length: size }, () => (rest.length ? filled(rest) : 0.5));
const predict = async (_, { signature, inputs }) => {
  if (signature === refused) return null; // as where the server gives an error
  const [rows] = Object.values(inputs);
  asked.push({ signature, row: rows[0] });
  const outputs = Object.entries(signatures[signature].outputs);
  return Object.fromEntries(outputs.map(([name, { shape }]) => [name, filled([rows.length, ...shape.slice(1)])]));
};
const root = document.querySelector("#view");
root.replaceChildren();
const context = { ...parts, models: [model], t: translator(view.texts), language: "en", predict, showError: alert };
window.closeOther = view.show(root, context);
await new Promise((resolve) => setTimeout(resolve, 400));
return "shown";
"""


def floats(*shape):
    return {"dtype": "float32", "shape": [None, *shape]}


def latent_model(width):
    return {
        "encode": {"inputs": {"images": floats(28, 28, 1)}, "outputs": {"mean": floats(width)}},
        "decode": {"inputs": {"z": floats(width)}, "outputs": {"images": floats(28, 28, 1)}},
    }


def test_latent_numbers_after_the_second_have_sliders(page):
    page.open("houses")
    assert page.run(SHOW_OTHER, "vae", latent_model(4)) == "shown"
    assert page.texts(".many-sliders label") == ["Number 3", "Number 4"]
    assert "The model has 4 latent numbers." in page.text("#view")
    page.script(SET, ".many-sliders input", 1.25)
    point = page.script("return asked.at(-1)")
    assert (point["signature"], point["row"][2]) == ("decode", 1.25)


def test_a_walk_is_there_even_if_the_test_digits_cannot_be_encoded(page):
    page.open("houses")
    assert page.run(SHOW_OTHER, "vae", latent_model(2), "encode") == "shown"
    page.wait("return document.querySelectorAll('.walk-strip canvas').length === 9")
    page.script(SET, ".slider input", 40)
    assert page.text(".coordinates") == "Position 1.50, 0.00"


def test_a_single_latent_number_is_shown_as_left_and_right(page):
    page.open("houses")
    assert page.run(SHOW_OTHER, "vae", latent_model(1)) == "shown"
    page.script(DRAG, ".latent-plane", [0.5, 0.02], [0.25, 0.1])
    (x,) = page.script("return asked.at(-1).row")
    assert x < 0
    assert "only left and right matter" in page.text("#view")


def test_a_denoiser_of_colour_pictures_gets_their_size_and_channels(page):
    page.open("houses")
    signatures = {"serving_default": {"inputs": {"noisy": floats(40, 32, 3)}, "outputs": {"clean": floats(40, 32, 3)}}}
    assert page.run(SHOW_OTHER, "denoise", signatures) == "shown"
    row = np.array(page.script("return asked.at(-1).row"))
    assert row.shape == (40, 32, 3)
    assert (row[..., 0] != row[..., 1]).mean() > 0.5  # each channel has noise of its own
    assert page.texts("[role=tab]") == ["Test digits", "Draw your own", "A picture"]


def test_views_do_not_take_models_of_other_cases(page):
    page.open("houses")
    listed = page.run("return (await (await fetch('/playground/models.json')).json()).models")
    others = {one["name"]: one["signatures"] for one in listed if one["name"] in ("digits", "mlp", "houses")}
    assert len(others) == 3
    for view in VIEWS:
        for signatures in others.values():
            assert page.run(SHOW_OTHER, view, signatures) == "not shown"


def test_captchas_are_chosen_by_the_characters_that_a_model_knows(page):
    page.open("captcha")
    code = """
        const { charset, suitable } = await import("/playground/views/captcha.js");
        const texts = ["1234", "a1B2", "abcd", "12345"];
        return args[0].map(([classes, length, given]) => suitable(texts, charset({
          signatures: { serving_default: { outputs: { probabilities: { shape: [null, length, classes] } } } },
          card: given && { config: { charset: given } },
        })).map((i) => texts[i]));
    """
    models = [[10, 4, None], [62, 4, None], [26, 4, None], [26, 4, "lower"], [4, 4, "abcd"], [10, 5, None]]
    found = page.run(code, models)
    assert found == [["1234"], ["a1B2", "abcd", "1234"], [], ["abcd"], ["abcd"], ["12345"]]


# All of them.


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_fits_a_phone_and_speaks_chinese(page, view):
    page.open(view, language="zh", width=400, dark=True)
    page.wait("return document.querySelector('#view').innerText.length > 20")
    assert page.script("return document.documentElement.scrollWidth") <= 400
    text = page.text("#title") + page.text("#summary") + page.text("#view")
    assert any("\u4e00" <= one <= "\u9fff" for one in text)
    known = {"VAE", "DCGAN", "Inception", "dB", "PSNR", "Shift", "A", "B"}
    latin = set("".join(one if one.isascii() and one.isalpha() else " " for one in text).split())
    assert latin <= known | {"v"}


def test_both_languages_have_the_same_texts_with_the_same_values(page):
    page.open("houses")
    code = "return (await import('/playground/views/all.js')).views.map(({ id, texts }) => [id, texts])"
    for view, texts in page.run(code):
        assert texts["en"].keys() == texts["zh"].keys(), view
        for key in texts["en"]:
            english, chinese = (set(re.findall(r"{\w+}", texts[language][key])) for language in ("en", "zh"))
            assert english == chinese, (view, key)


@pytest.mark.parametrize(("view", "model"), VIEWS.items())
def test_a_left_view_asks_no_more(page, view, model):
    page.open(view)
    page.wait("return document.querySelector('#view').children.length")
    page.script("location.hash = '#houses'")
    page.wait("return document.querySelector('#title').innerText === 'House prices'")
    page.script("""
        window.sent = [];
        const ask = window.fetch;
        window.fetch = (...all) => { sent.push(all[0]); return ask(...all); };
        document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: new DataTransfer()}));
    """)
    page.run("await new Promise((resolve) => setTimeout(resolve, 150))")
    assert not [url for url in page.script("return sent") if f"/{model}:" in url]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: npm install --prefix tests/playground")
def test_axe_finds_nothing_serious_in_a_view(page, view, dark):
    page.open(view, dark=dark)
    if view == "classify":
        page.run(GIVE, "drop", "photo.png", "image/png", photo("red", 60, 40))
    if view == "captcha":
        page.click("Read all 25")
    page.wait("return document.querySelector('.time').innerText.endsWith(' ms')")
    assert serious_violations(page) == []
