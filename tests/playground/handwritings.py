"""Three handwritings of each digit: its width at height 1, and its strokes in a box from (0, 0) to (1, 1).

A stroke is a polyline, as a list or as a text "x y, x y".
"""

import itertools
import math


def _arc(x, y, rx, ry, start, end, points=14):
    """Points on an ellipse; angles in degrees, clockwise from the right."""
    angles = [math.radians(start + (end - start) * i / points) for i in range(points + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


HANDWRITINGS = {
    0: [
        (0.7, [_arc(0.5, 0.5, 0.5, 0.5, -90, 275)]),
        (0.5, [_arc(0.5, 0.5, 0.5, 0.5, -60, 300)]),
        (0.75, ["0.6 0, 0.25 0.12, 0 0.5, 0.1 0.85, 0.4 1, 0.75 0.85, 1 0.45, 0.85 0.1, 0.55 0"]),
    ],
    1: [
        (0.06, ["0.5 0, 0.5 0.5, 0.5 1"]),
        (0.35, ["0 0.25, 0.5 0.12, 0.9 0, 0.85 0.5, 0.8 1"]),
        (0.25, ["1 0, 0.6 0.4, 0.3 0.7, 0 1"]),
    ],
    2: [
        (0.65, [[*_arc(0.5, 0.28, 0.46, 0.28, -170, 30), (0.6, 0.65), (0, 1), (0.5, 0.98), (1, 1)]]),
        (0.7, ["0.05 0.2, 0.3 0, 0.75 0.02, 0.95 0.25, 0.8 0.5, 0.4 0.78, 0.1 1, 1 0.95"]),
        (0.75, [".1 .16, .35 0, .75 .06, .85 .35, .55 .65, .2 .92, .05 .98, .02 .86, .2 .82, .6 .96, 1 .9"]),
    ],
    3: [
        (0.6, [[*_arc(0.45, 0.25, 0.5, 0.25, -160, 85), *_arc(0.45, 0.74, 0.55, 0.26, -85, 150)]]),
        (0.6, ["0.05 0.05, 0.9 0.02, 0.4 0.4, 0.8 0.5, 1 0.75, 0.7 0.97, 0.1 0.95"]),
        (0.55, ["0.1 0.12, 0.5 0, 0.9 0.15, 0.75 0.4, 0.35 0.47, 0.8 0.55, 1 0.78, 0.6 1, 0 0.9"]),
    ],
    4: [
        (0.7, ["0.25 0, 0.15 0.3, 0.02 0.55, 0.5 0.57, 1 0.53", "0.72 0.1, 0.7 0.5, 0.66 1"]),
        (0.65, ["0.75 0, 0.35 0.35, 0 0.65, 0.5 0.66, 1 0.64", "0.76 0, 0.74 0.5, 0.72 1"]),
        (0.6, ["0.05 0.02, 0.02 0.3, 0.1 0.5, 0.5 0.5, 0.9 0.44", "0.92 0, 0.88 0.5, 0.84 1"]),
    ],
    5: [
        (0.65, [[(0.9, 0), (0.2, 0.02), (0.12, 0.42), *_arc(0.45, 0.69, 0.5, 0.3, -120, 140)]]),
        (0.6, ["0.15 0.02, 0.1 0.4, 0.5 0.36, 0.9 0.5, 1 0.75, 0.7 0.97, 0 0.95", "0.15 0.02, 0.55 0.03, 0.95 0"]),
        (0.6, ["0.95 0, 0.3 0.03, 0.22 0.45, 0.6 0.42, 0.95 0.6, 0.9 0.85, 0.5 1, 0.05 0.88"]),
    ],
    6: [
        (0.6, [[(0.75, 0), (0.35, 0.2), (0.08, 0.5), *_arc(0.5, 0.72, 0.46, 0.28, 180, -190)]]),
        (0.5, ["0.6 0, 0.2 0.3, 0.02 0.65, 0.2 0.95, 0.6 1, 0.95 0.85, 0.9 0.6, 0.55 0.52, 0.1 0.7"]),
        (0.6, ["0.95 0.04, 0.5 0.12, 0.15 0.4, 0 0.7, 0.25 0.98, 0.7 0.97, 0.95 0.75, 0.7 0.55, 0.3 0.6, 0.08 0.8"]),
    ],
    7: [
        (0.65, ["0 0.05, 0.5 0.03, 1 0, 0.7 0.4, 0.5 0.7, 0.35 1"]),
        (0.65, ["0 0.02, 0.5 0.02, 1 0.02, 0.75 0.4, 0.55 0.75, 0.45 1", "0.3 0.52, 0.65 0.5, 0.95 0.48"]),
        (0.6, ["0 0.18, 0.03 0.05, 0.5 0.06, 0.95 0.02, 0.8 0.35, 0.6 0.65, 0.45 1"]),
    ],
    8: [
        (
            0.6,
            [
                _arc(0.5, 0.25, 0.4, 0.25, -60, -270)
                + _arc(0.5, 0.75, 0.48, 0.25, -90, 270)
                + _arc(0.5, 0.25, 0.4, 0.25, 90, -50)
            ],
        ),
        (0.55, [".85 .12, .5 0, .15 .15, .3 .4, .7 .55, .95 .78, .6 1, .15 .92, .1 .7, .5 .5, .85 .3, .85 .1"]),
        (0.6, [_arc(0.5, 0.24, 0.38, 0.24, 90, 455), _arc(0.5, 0.74, 0.48, 0.26, -90, 275)]),
    ],
    9: [
        (0.6, [[*_arc(0.48, 0.28, 0.45, 0.28, -20, -370), (0.9, 0.6), (0.85, 1)]]),
        (0.55, ["0.9 0.15, 0.5 0, 0.1 0.2, 0.2 0.48, 0.6 0.5, 0.92 0.25, 0.9 0.6, 0.7 0.9, 0.3 1"]),
        (0.6, [_arc(0.45, 0.27, 0.45, 0.27, -10, -365), "0.92 0.1, 0.88 0.5, 0.7 1"]),
    ],
}


def written(digit, hand, x, y, height, aspect, step=0.02):
    """The strokes of a digit with its top left corner at (x, y), for a pad that is `aspect` as wide as high.

    Args:
      digit, hand: which of the handwritings.
      x, y, height: as parts of the pad's width and height.
      aspect: the pad's width divided by its height.
      step: the distance of two points, as a part of the pad's height, as a hand moves from one event to the next.
    """
    width, strokes = HANDWRITINGS[digit][hand]
    return [
        [[x + u * width * height / aspect, y + v * height] for u, v in dense(stroke, step / height)]
        for stroke in strokes
    ]


def dense(points, step):
    """Points on a polyline at distances of at most `step`."""
    if isinstance(points, str):
        points = [tuple(map(float, point.split())) for point in points.split(",")]
    found = [points[0]]
    for (a, b), (c, d) in itertools.pairwise(points):
        count = max(1, math.ceil(math.hypot(c - a, d - b) / step))
        found += [(a + (c - a) * i / count, b + (d - b) * i / count) for i in range(1, count + 1)]
    return found


# A function of the browser: sends the pointer events of strokes, whose points are parts of the canvas's size.
DRAW_ON = """
const drawOn = (canvas, strokes) => {
  const box = canvas.getBoundingClientRect();
  const send = (kind, [x, y]) => canvas.dispatchEvent(new PointerEvent(kind, {pointerId: 1, bubbles: true,
    clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
  for (const stroke of strokes) {
    send("pointerdown", stroke[0]);
    stroke.slice(1).forEach((point) => send("pointermove", point));
    send("pointerup", stroke.at(-1));
  }
};
"""
