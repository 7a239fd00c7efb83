"""What is hidden from the model to see what it goes by. All geometry is on the whole frame squashed to 224x224.

The frame of every training image holds the chest, so fixed shapes do: the mean images of the four public collections
in use have their lungs inside the ellipses, and no mask can tell classes apart by its own shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inference.preprocessing import WORKING_SIZE

LUNG_CENTRES = ((0.29, 0.46), (0.71, 0.46))  # (x, y), in sides of the frame; x to the right of the image
LUNG_RADII = (0.21, 0.36)  # (x, y)
BORDER_WIDTH = 28  # pixels, an eighth of the side
CORNER_SIDE = 56  # pixels, a quarter of the side: side markers and burned-in text lie there

GEOMETRY = (
    f"On the {WORKING_SIZE}x{WORKING_SIZE} frame: lungs are two upright ellipses with centres at "
    f"({LUNG_CENTRES[0][0]}, {LUNG_CENTRES[0][1]}) and ({LUNG_CENTRES[1][0]}, {LUNG_CENTRES[1][1]}) and radii "
    f"({LUNG_RADII[0]}, {LUNG_RADII[1]}) of the side; the border is the outer {BORDER_WIDTH} pixels outside them; a "
    f"corner is a square of {CORNER_SIDE} pixels outside them."
)


@dataclass(frozen=True)
class Mask:
    """One way to hide a part of the image.

    Attributes:
        name: Name in the results.
        title: What people read.
        hidden: bool (224, 224), true where the image is painted over.
        colour: Grey level to paint with, from the pixels that stay visible, uint8 (k,).
    """

    name: str
    title: str
    hidden: np.ndarray
    colour: Callable[[np.ndarray], int]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 (224, 224) -> a painted copy."""
        painted = image.copy()
        painted[self.hidden] = self.colour(image[~self.hidden])
        return painted


def lungs() -> np.ndarray:
    """bool (224, 224): inside one of the two ellipses."""
    y, x = (np.mgrid[0:WORKING_SIZE, 0:WORKING_SIZE] + 0.5) / WORKING_SIZE
    inside = np.zeros((WORKING_SIZE, WORKING_SIZE), bool)
    for centre_x, centre_y in LUNG_CENTRES:
        inside |= ((x - centre_x) / LUNG_RADII[0]) ** 2 + ((y - centre_y) / LUNG_RADII[1]) ** 2 < 1
    return inside


def border() -> np.ndarray:
    """bool (224, 224): the outer frame without the lungs."""
    frame = np.ones((WORKING_SIZE, WORKING_SIZE), bool)
    frame[BORDER_WIDTH:-BORDER_WIDTH, BORDER_WIDTH:-BORDER_WIDTH] = False
    return frame & ~lungs()


def corners() -> np.ndarray:
    """bool (224, 224): the four corners without the lungs."""
    near = np.zeros(WORKING_SIZE, bool)
    near[:CORNER_SIDE] = near[-CORNER_SIDE:] = True
    return near[:, np.newaxis] & near[np.newaxis, :] & ~lungs()


def _black(visible: np.ndarray) -> int:
    return 0


def _median(visible: np.ndarray) -> int:
    return int(np.median(visible))


MASKS: dict[str, Mask] = {
    mask.name: mask
    for mask in (
        Mask("lungs_black", "both lungs painted black", lungs(), _black),
        # Black may throw a network off by its contrast alone; grey asks the same more gently.
        Mask("lungs_grey", "both lungs painted grey", lungs(), _median),
        Mask("border_black", "border only, the rest black", ~border(), _black),
        Mask("border_grey", "border only, the rest grey", ~border(), _median),
        # Black would itself be a new, bright-edged thing in a corner that shows a shoulder.
        Mask("corners_grey", "the four corners painted grey", corners(), _median),
    )
}
"""Every mask by name."""
