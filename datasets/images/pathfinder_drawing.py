"""Settings for drawing Pathfinder images, at the resolutions of the Long Range Arena and at any other."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Drawing:
    """Settings of a drawing; lengths in pixels.

    The defaults, and those of :meth:`of_size`, are the Long Range Arena's for its hardest level (contour length 14).
    ``clearance`` and ``bend`` are defined differently there. ``thickness`` is drawn differently, and chosen so that
    images of 32 x 32 are as bright as those of the release.

    Args:
        size: Height and width of the image.
        contour: Dashes in each of the two long contours.
        distractor: Dashes in a short contour.
        num_distractors: Short contours, as far as there is room.
        dash: Length of a dash.
        gap: Length between the dashes of a contour.
        thickness: Thickness of a dash.
        radius: Radius of a disc.
        distance: Distance between the seeds of the two long contours.
        clearance: Least distance between contours, from centre line to centre line.
        bend: Standard deviation of the turn at a gap, in radians.

    Raises:
        ValueError: For lengths that leave images impossible to draw or to solve.
    """

    size: int = 32
    contour: int = 14
    distractor: int = 4
    num_distractors: int = 5
    dash: float = 2.0
    gap: float = 1.0
    thickness: float = 0.6
    radius: float = 1.5
    distance: float = 7.0
    clearance: float = 3.0
    bend: float = 0.4

    def __post_init__(self) -> None:
        small = [
            f.name for f in fields(self) if not getattr(self, f.name) > 0 and f.name != "num_distractors"
        ]
        if small or self.num_distractors < 0:
            raise ValueError(f"drawing: expected positive numbers, got {self}")
        if self.clearance < self.gap + self.thickness + 1:
            raise ValueError(
                f"clearance must be at least gap + thickness + 1 = {self.gap + self.thickness + 1}, or contours run "
                f"into each other, got {self.clearance}"
            )
        if self.size < 4 * self.dash + self.distance:
            raise ValueError(f"no room for contours of dashes of {self.dash} in {self.size} pixels")

    @classmethod
    def of_size(cls, size: int, **changes: Any) -> Drawing:
        """Returns the settings for a resolution: 32, 64, 128 (Path-X), 256 as published, others scaled from 128.

        Args:
            size: Height and width.
            **changes: Any other field.
        """
        if size in _PUBLISHED:
            return replace(_PUBLISHED[size], **changes)
        base, scale = _PUBLISHED[128], size / 128
        lengths = ("dash", "gap", "thickness", "radius", "distance", "clearance")
        scaled = {name: getattr(base, name) * scale for name in lengths}
        scaled["clearance"] = max(scaled["clearance"], scaled["gap"] + scaled["thickness"] + 1)
        return replace(base, **{"size": size, **scaled, **changes})


_PUBLISHED = {
    drawing.size: drawing
    for drawing in (
        Drawing(),
        Drawing(64, dash=5, thickness=1, radius=2.5, distance=12, clearance=4),
        Drawing(128, num_distractors=8, dash=5, gap=2.5, thickness=1.5, radius=3, distance=20, clearance=7),
        Drawing(256, num_distractors=7, dash=5, gap=3, thickness=2, radius=5, distance=27, clearance=8),
    )
}
