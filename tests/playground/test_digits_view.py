"""The view of the digits: what is drawn by a script is found, shown and read."""

import itertools

from handwritings import written

ASPECT = 1.5  # of the pad
PLACES = [(0.03, 0.04), (0.5, 0.04), (0.25, 0.1), (0.03, 0.35), (0.55, 0.38)]  # of the top left corner
SIZES = [0.3, 0.42, 0.56]  # heights
PENS = [8, 16]

READ_ALL = """
const [drawings, place] = [args[0], document.querySelector("#view")];
const canvas = document.querySelector(".pad-canvas");
const pens = document.querySelector(".pad input[type=range]");
const [clear] = [...document.querySelectorAll(".pad .button")].filter((one) => one.innerText === "Clear");
const answers = [];
for (const { strokes, pen } of drawings) {
  clear.click();
  pens.value = pen;
  pens.dispatchEvent(new Event("input"));
  const box = canvas.getBoundingClientRect();
  const send = (kind, [x, y]) => canvas.dispatchEvent(new PointerEvent(kind, {pointerId: 1, bubbles: true,
    clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
  for (const stroke of strokes) {
    send("pointerdown", stroke[0]);
    stroke.slice(1).forEach((point) => send("pointermove", point));
    send("pointerup", stroke.at(-1));
  }
  while (place.dataset.read !== place.dataset.drawn) await new Promise((resolve) => setTimeout(resolve, 2));
  answers.push(document.querySelector(".answer").innerText);
}
return answers;
"""


def test_of_digits_in_three_handwritings_at_five_places_in_three_sizes_with_two_pens_95_percent_are_read(page):
    ways = list(itertools.product(PLACES, SIZES, PENS))
    drawings, wanted = [], []
    for digit, hand in itertools.product(range(10), range(3)):
        # Every tenth way, from another one on for each handwriting: each is drawn with every place, size and pen at times.
        for (x, y), size, pen in ways[(digit + 3 * hand) % 3 :: 3]:
            drawings.append({"strokes": written(digit, hand, x, y, size, ASPECT), "pen": pen})
            wanted.append(str(digit))
    page.open("digits")
    answers = page.run(READ_ALL, drawings)
    wrong = [(w, a) for w, a in zip(wanted, answers, strict=True) if a != w]
    assert len(wrong) <= 0.05 * len(wanted), wrong
    print(len(wanted), wrong)
