"""The view of the digits: what is drawn by a script is found, shown and read."""

import itertools

from handwritings import DRAW_ON, written

ASPECT = 1.5  # of the pad
PLACES = [(0.03, 0.04), (0.5, 0.04), (0.25, 0.1), (0.03, 0.35), (0.55, 0.38)]  # of the top left corner
SIZES = [0.3, 0.42, 0.56]  # heights
PENS = [8, 16]

READ_ALL = (
    f"{DRAW_ON}"
    """
const [drawings, place] = [args[0], document.querySelector("#view")];
const canvas = document.querySelector(".pad-canvas");
const pens = document.querySelector(".pad input[type=range]");
const [clear] = [...document.querySelectorAll(".pad .button")].filter((one) => one.innerText === "Clear");
const answers = [];
for (const { strokes, pen } of drawings) {
  clear.click();
  pens.value = pen;
  pens.dispatchEvent(new Event("input"));
  drawOn(canvas, strokes);
  while (place.dataset.read !== place.dataset.drawn) await new Promise((resolve) => setTimeout(resolve, 2));
  answers.push(document.querySelector(".answer").innerText);
}
return answers;
"""
)


def test_of_digits_in_three_handwritings_at_five_places_in_three_sizes_with_two_pens_95_percent_are_read(page):
    ways = list(itertools.product(PLACES, SIZES, PENS))
    drawings, wanted = [], []
    for digit, hand in itertools.product(range(10), range(3)):
        # Every fifth way, from another one on for the next, so that each place, size and pen has its turn.
        for (x, y), size, pen in ways[(digit + 3 * hand) % 5 :: 5]:
            drawings.append({"strokes": written(digit, hand, x, y, size, ASPECT), "pen": pen})
            wanted.append(str(digit))
    page.open("digits")
    answers = []
    for i in range(0, len(drawings), 50):
        answers += page.run(READ_ALL, drawings[i : i + 50])
    wrong = [(w, a) for w, a in zip(wanted, answers, strict=True) if a != w]
    assert len(wrong) <= 0.05 * len(wanted), wrong


SETTLED = "const {read, drawn} = document.querySelector('#view').dataset; return drawn > 0 && read === drawn"


def test_several_digits_are_found_and_read_one_by_one(page):
    page.open("digits")
    for i, digit in enumerate((4, 2)):
        page.draw(written(digit, 0, 0.1 + 0.45 * i, 0.2, 0.5, ASPECT))
    page.wait(SETTLED)
    assert page.text(".answer") == "4 2"
    tiles = page.driver.find_elements("css selector", ".strip button")
    assert [tile.text for tile in tiles] == ["4", "2"]
    bars = page.script(
        "return [...document.querySelectorAll('.reader:first-of-type .column.best')].map((e) => e.innerText)"
    )
    assert bars == ["2"]  # of the digit under the hand
    tiles[0].click()
    bars = page.script(
        "return [...document.querySelectorAll('.reader:first-of-type .column.best')].map((e) => e.innerText)"
    )
    assert bars == ["4"]


def test_the_bars_of_every_model_move_while_the_hand_moves(page):
    page.open("digits")
    strokes = written(7, 0, 0.3, 0.2, 0.6, ASPECT)
    first, last = strokes[0][:5], strokes[0]
    page.draw([first])
    page.wait(SETTLED)
    before = page.texts(".sure")
    page.click("Undo")
    page.draw([last])
    page.wait(SETTLED)
    assert len(before) == 2
    assert all(a != b for a, b in zip(before, page.texts(".sure"), strict=True))


def test_what_the_network_sees_is_bright_on_black_and_centred(page):
    page.open("digits")
    page.draw(written(0, 0, 0.1, 0.1, 0.5, ASPECT))
    page.wait(SETTLED)
    code = """
    const canvas = document.querySelector(".sees canvas");
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return [canvas.width, canvas.height, [...data].filter((_, i) => i % 4 === 0)];
    """
    width, height, pixels = page.script(code)
    assert (width, height) == (28, 28)
    rows = [sum(pixels[28 * i : 28 * i + 28]) for i in range(28)]
    assert not any(rows[:3])
    assert not any(rows[-3:])
    middle = sum(i * row for i, row in enumerate(rows)) / sum(rows)
    assert 13 <= middle <= 15
    assert max(pixels) > 240


def test_undo_takes_the_last_stroke_and_clear_all(page):
    page.open("digits")
    page.draw(written(4, 0, 0.3, 0.2, 0.6, ASPECT))
    page.wait(SETTLED)
    assert page.text(".answer") == "4"
    page.click("Undo")
    page.wait(SETTLED)
    assert page.text(".answer") != "4"
    page.click("Clear")
    assert page.text(".answer") == "nothing yet"
    assert page.script("return [...document.querySelectorAll('.pad .button:disabled')].length") == 2


def test_a_wider_pen_leaves_more_ink(page):
    page.open("digits")
    ink = []
    for keys in ("\ue011", "\ue010"):  # home and end
        page.driver.find_element("css selector", ".pad input[type=range]").send_keys(keys)
        page.draw([[[0.2, 0.5], [0.8, 0.5]]])
        code = """
        await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
        const canvas = document.querySelector(".pad-canvas");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return data.filter((_, i) => i % 4 === 3).reduce((sum, alpha) => sum + (alpha > 128), 0);
        """
        ink.append(page.run(code))
        page.click("Clear")
    assert ink[1] > 3 * ink[0] > 0


def test_a_digit_is_drawn_for_those_who_cannot(page):
    page.open("digits")
    page.driver.find_element("css selector", ".pad .button").send_keys("\ue007")  # enter
    page.wait("return /^\\d$/.test(document.querySelector('.answer').innerText)")


def test_a_model_without_the_signature_that_finds_digits_reads_one(page):
    page.open("houses")
    code = """
    const { views } = await import("/playground/views/all.js");
    const own = views.find((view) => view.id === "digits");
    const before = own.models;
    own.models = (models) => before(models).map((model) => {
      const { find_digits_bytes: without, ...signatures } = model.signatures;
      return { ...model, signatures };
    });
    location.hash = "#digits";
    await new Promise((resolve) => setTimeout(resolve, 100));
    """
    page.run(code)
    page.draw(written(7, 0, 0.3, 0.2, 0.6, ASPECT))
    page.wait("return document.querySelector('.answer').innerText === '7'")
    assert page.texts(".column.best") != []
