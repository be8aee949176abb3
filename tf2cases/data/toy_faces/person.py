"""The attributes of a person that several parts of the face depend on."""

import numpy as np

from tf2cases.data.toy_faces.canvas import Numbers
from tf2cases.data.toy_faces.shapes import ellipse

_SKIN = [
    (255, 226, 205),
    (246, 203, 172),
    (232, 184, 148),
    (212, 158, 118),
    (176, 120, 82),
    (133, 86, 57),
    (88, 56, 40),
]
_HAIR = [
    (28, 24, 26),
    (48, 33, 27),
    (84, 54, 36),
    (122, 78, 46),
    (160, 108, 58),
    (212, 170, 104),
    (156, 68, 36),
    (150, 148, 148),
    (222, 218, 212),
]
_HAIR_SHARES = (0.2, 0.2, 0.17, 0.12, 0.07, 0.1, 0.06, 0.05, 0.03)
_EYES = [(74, 46, 28), (46, 30, 22), (70, 110, 150), (86, 124, 84), (120, 128, 136), (120, 84, 44)]


class Person:
    """Pose, light, colours and head shape."""

    def __init__(self, numbers: Numbers, x: np.ndarray, y: np.ndarray):
        n = numbers
        self.masculine = n.chance(0.5)
        self.centre = n.around(0, 0.12), n.around(0.02, 0.08)
        self.size = n.between(1.02, 1.18)
        tilt, self.turn = n.around(0, 0.3), n.around(0, 0.55)  # radians
        nod = n.around(0, 0.07)
        cos, sin = np.cos(tilt), np.sin(tilt)
        dx, dy = (x - self.centre[0]) / self.size, (y - self.centre[1]) / self.size
        self.u, self.v = cos * dx + sin * dy, cos * dy - sin * dx  # in the head's own axes: to its left, and down

        self.width = n.between(0.42, 0.5) + 0.02 * self.masculine
        self.height = n.between(0.58, 0.66)
        jaw = n.between(0.12, 0.34) - 0.08 * self.masculine
        down = np.maximum(self.v / self.height, 0)
        self.half_width = self.width * (1 - jaw * np.minimum(down, 1.2) ** 2)
        self.head = ellipse(self.u, self.v, self.half_width, self.height)

        light = n.between(-0.9, 0.9), n.between(-0.8, 0.1), 0.75
        length = np.sqrt(sum(part**2 for part in light))
        across, along = self.u / self.half_width, self.v / self.height
        toward = np.sqrt(np.maximum(1 - across**2 - along**2, 0.02))
        self.lit = np.clip((across * light[0] + along * light[1] + toward * light[2]) / length, 0, 1)
        self.light = light[0] / length
        strength = n.between(0.25, 0.6)
        self.shade = 1.06 - strength + strength * self.lit

        self.skin = np.clip(n.along(_SKIN) + np.stack([n.around(0, 0.03) for _ in range(3)]), 0, 1)
        self.skin_dark = self.skin * np.array([0.72, 0.6, 0.56], np.float32)[:, None, None, None]
        self.hair = np.clip(n.one_of(_HAIR, _HAIR_SHARES) * n.between(0.85, 1.15), 0, 1)
        self.iris = n.one_of(_EYES)

        # The parts of the face sit on a turned sphere; an eye is at this angle from the middle of the face.
        self.eye_angle = n.between(0.4, 0.5)
        self.line = -0.04 + nod + n.around(0, 0.03)  # height of the eyes
        self.eye_width, self.eye_height = n.between(0.095, 0.125), n.between(0.04, 0.075)
        self.iris_size = n.between(0.048, 0.06)
        self.gaze = n.around(0, 0.035), n.around(0, 0.012)
        self.brow_rise, self.brow_slant = n.between(0.12, 0.16), n.around(-0.2, 0.4)
        self.brow_arch, self.brow_size = n.between(0.6, 3.0), n.between(0.01, 0.018) + 0.008 * self.masculine
        self.nose_length, self.nose_width = n.between(0.2, 0.27), n.between(0.055, 0.09)
        self.mouth_line = self.line + n.between(0.36, 0.42)

    def at(self, angle: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The position and foreshortening of a part at an angle from the middle of the face: (u, factor)."""
        return 0.88 * self.width * np.sin(angle + self.turn), np.cos(angle + self.turn) / np.cos(angle)
