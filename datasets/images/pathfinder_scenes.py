"""Content of Pathfinder images (Linsley et al., 2018; Kim et al., 2020): two discs, on one dashed contour or on two.

Two long contours grow from seeds beside each other, dash by dash, turning a little at every gap. They keep away from
each other, from themselves and from the border. A disc goes on the start of one of them, another on the end of
the same one (label 1) or of the other (label 0). So any feature that does not follow the contours has nearly the same
distribution in both classes. Short contours then fill the remaining room. Contours keep further apart than their own
gaps are wide, so every image can be solved by following the ink.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from ccnn_geo.datasets.images.pathfinder_drawing import Drawing

CHUNK = 250
"""Images that share a random generator; the result of a seed depends on it, and not on the number of processes."""

_TURNS, _SEEDS = 12, 24
"""Proposals for the next dash, and for the start of a short contour."""

_TRIALS = 3
"""Additional short contours to begin, because some find no room."""


@dataclass(frozen=True)
class Scenes:
    """The content of N images.

    Args:
        dashes: Both ends of each dash, ``[N, D, 2, 2]`` (end, (row, column)), in pixels from the first pixel's centre.
        owner: Contour of each dash ``[N, D]``: 0 and 1 are the long ones, -1 is no dash.
        discs: Centres of the two discs ``[N, 2, 2]``.
        y: 1 if both are on one contour ``[N]``.
    """

    dashes: np.ndarray
    owner: np.ndarray
    discs: np.ndarray
    y: np.ndarray

    def __getitem__(self, index: slice | np.ndarray) -> Scenes:
        return Scenes(*(getattr(self, f.name)[index] for f in fields(self)))

    def __len__(self) -> int:
        return len(self.y)


def make_scenes(chunk: int, seed: int, drawing: Drawing) -> Scenes:
    """Makes the scenes of one chunk, :data:`CHUNK` of them, half of each label.

    Raises:
        ValueError: If hardly any attempt finds room.
    """
    rng = np.random.default_rng([seed, chunk])
    done: list[Scenes] = []
    y = np.empty(0, int)
    for attempt in range(1, 1001):
        if (scenes := _attempt(rng, drawing)) is not None:
            done.append(scenes)
            y = np.concatenate([y, scenes.y])
        if min(np.bincount(y, minlength=2)) >= CHUNK // 2:
            parts = ([getattr(scenes, f.name) for scenes in done] for f in fields(Scenes))
            order = rng.permutation(np.concatenate([np.flatnonzero(y == i)[: CHUNK // 2] for i in (0, 1)]))
            return Scenes(*(np.concatenate(part) for part in parts))[order]
        if attempt == 10 and len(y) < 2:
            break
    raise ValueError(f"{len(y)} of {attempt * 2 * CHUNK} attempts found room for two contours: {drawing}")


class _Canvas:
    """Occupied pixels of many images: 0 for free, else the number of a nearby dash (or -1).

    Args:
        num: Images.
        drawing: Settings.
    """

    def __init__(self, num: int, drawing: Drawing) -> None:
        self.fine = fine = 1 if drawing.clearance > 5 else 2  # cells per pixel along each axis
        reach = int(np.ceil(drawing.clearance * fine))
        self.pad = reach + int(np.ceil((drawing.dash + drawing.gap + drawing.radius) * fine)) + 1
        self.side = drawing.size * fine + 2 * self.pad
        self.cells = np.full((num, self.side, self.side), -1, np.int16)
        free = slice(self.pad + fine, -self.pad - fine)  # a pixel along the border is left free
        self.cells[:, free, free] = 0
        self.limits = -drawing.dash - drawing.gap, drawing.size - 1 + drawing.dash + drawing.gap
        self.drawing = drawing

    def _flat(self, points: np.ndarray) -> np.ndarray:
        """Indices ``[N, ...]`` into the flat array for points ``[N, ..., 2]`` in pixels."""
        cells = (
            np.rint(np.clip(points, *self.limits) * self.fine).astype(np.int64) + self.pad + self.fine // 2
        )
        image = np.arange(len(points)).reshape(-1, *[1] * (points.ndim - 2))
        return (image * self.side + cells[..., 0]) * self.side + cells[..., 1]

    def is_free(self, points: np.ndarray, last: int) -> np.ndarray:
        """Whether all of ``points [N, K, P, 2]`` are away from everything but dash ``last``; ``[N, K]``."""
        near = self.cells.reshape(-1)[self._flat(points)]
        return ((near == 0) | (near == last)).all(-1)

    def take(self, points: np.ndarray, number: int, where: np.ndarray, radius: float) -> None:
        """Marks everything nearer than ``radius`` to ``points [N, P, 2]``, in the images ``where [N]``."""
        reach = int(np.ceil(radius * self.fine))
        offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
        offsets = offsets[(offsets**2).sum(1) < (radius * self.fine) ** 2]
        places = self._flat(points)[where][..., None] + (offsets @ [self.side, 1])
        flat = self.cells.reshape(-1)
        flat[places] = np.where(flat[places] == 0, number, flat[places])


def _along(a: np.ndarray, b: np.ndarray, drawing: Drawing) -> np.ndarray:
    """Points ``[..., P, 2]`` on dashes from ``a`` to ``b [..., 2]``, at most a pixel apart."""
    t = np.linspace(0, 1, int(np.ceil(drawing.dash)) + 1)[:, None]
    return a[..., None, :] * (1 - t) + b[..., None, :] * t


def _step(angle: np.ndarray, length: float) -> np.ndarray:
    return length * np.stack([np.sin(angle), np.cos(angle)], -1)


def _choose(mark: np.ndarray, *proposals: np.ndarray) -> list[np.ndarray]:
    """For each image the first of the best proposals ``[N, K, ...]``, by a mark ``[N, K]``."""
    rows, first = np.arange(len(mark)), mark.argmax(1)
    return [proposal[rows, first] for proposal in proposals]


def _grow(
    rng: np.random.Generator,
    canvas: _Canvas,
    end: np.ndarray,
    angle: np.ndarray,
    last: int,
    alive: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Adds a dash after ``end [N, 2]``: returns its ends, its direction, and whether there was room."""
    drawing = canvas.drawing
    spread = np.linspace(1, 3, _TURNS)  # the later proposals turn further
    turned = angle[:, None] + rng.normal(size=(len(angle), _TURNS)) * drawing.bend * spread
    start = end[:, None] + _step(turned, drawing.gap)
    stop = start + _step(turned, drawing.dash)
    points = _along(start, stop, drawing)
    free = canvas.is_free(points, last)
    ahead = _step(turned, drawing.gap + drawing.dash)
    roomy = free & canvas.is_free(points + ahead[:, :, None], last)  # another dash would fit, straight on
    start, stop, points, turned = _choose(free * 1 + roomy, start, stop, points, turned)
    alive = alive & free.any(1)
    canvas.take(points, last + 2, alive, drawing.clearance)
    return start, stop, turned, alive


def _attempt(rng: np.random.Generator, drawing: Drawing) -> Scenes | None:
    """Tries ``2 * CHUNK`` images and keeps those with room for both contours; None if none has."""
    num = 2 * CHUNK
    canvas = _Canvas(num, drawing)
    centre = rng.uniform(0.25, 0.75, (num, 2)) * (drawing.size - 1)
    apart = _step(rng.uniform(0, 2 * np.pi, num), drawing.distance / 2)
    angles = rng.uniform(0, 2 * np.pi, (2, num))
    starts = [centre + apart, centre - apart]
    ends = [start + _step(angle, drawing.dash) for start, angle in zip(starts, angles, strict=True)]
    contours = [[(start, end)] for start, end in zip(starts, ends, strict=True)]
    alive = np.ones(num, bool)
    for i in (0, 1):  # dashes of contour i have the numbers i + 1, i + 3, ...
        points = _along(starts[i], ends[i], drawing)
        alive &= canvas.is_free(points[:, None], 0)[:, 0]
        canvas.take(points, i + 1, alive, drawing.clearance)
        canvas.take(points[:, :1], i + 1, alive, drawing.radius + drawing.clearance)  # for a disc
    for dash in range(1, drawing.contour):
        for i in (0, 1):
            last = 2 * dash - 1 + i
            start, ends[i], angles[i], alive = _grow(rng, canvas, ends[i], angles[i], last, alive)
            contours[i].append((start, ends[i]))
        if not alive.any():
            return None
    dashes = np.stack([np.stack(pair, 1) for contour in contours for pair in contour], 1)
    owner = np.repeat([0, 1], drawing.contour)

    tips = np.stack([np.stack(starts), np.stack(ends)])  # [start or end, contour, N, 2]
    points = _along(dashes[:, :, 0], dashes[:, :, 1], drawing)
    far = np.linalg.norm(points[None, None] - tips[..., None, None, :], axis=-1).min(-1)
    clear = far > drawing.radius + drawing.clearance  # a disc touches its own contour only
    clear = clear.all(-1, where=owner != np.array([0, 1])[:, None, None])
    clear &= (np.abs(tips - (drawing.size - 1) / 2) < drawing.size / 2 - drawing.radius).all(-1)
    y, first, rows = rng.integers(0, 2, num), rng.integers(0, 2, num), np.arange(num)

    def fits(first: np.ndarray) -> np.ndarray:
        second = np.where(y == 1, first, 1 - first)
        apart = np.linalg.norm(tips[0, first, rows] - tips[1, second, rows], axis=-1)
        return clear[0, first, rows] & clear[1, second, rows] & (apart > 2 * drawing.radius + 2)

    first = np.where(fits(first), first, 1 - first)
    alive &= fits(first)
    discs = np.stack([tips[0, first, rows], tips[1, np.where(y == 1, first, 1 - first), rows]], 1)
    for i in (0, 1):
        canvas.take(discs[:, i, None], -1, alive, drawing.radius + drawing.clearance)
    canvas.cells = canvas.cells[alive]
    scenes = Scenes(dashes, np.tile(owner, (num, 1)), discs, y)[alive]
    return _add_distractors(rng, canvas, scenes)


def _add_distractors(rng: np.random.Generator, canvas: _Canvas, scenes: Scenes) -> Scenes:
    drawing, num = canvas.drawing, len(scenes)
    number = 2 * drawing.contour + 1
    short, owner = [], []
    missing = np.full(num, drawing.num_distractors)
    for i in range(drawing.num_distractors + _TRIALS):
        angle = rng.uniform(0, 2 * np.pi, (num, _SEEDS))
        start = rng.uniform(0, drawing.size - 1, (num, _SEEDS, 2))
        end = start + _step(angle, drawing.dash)
        points = _along(start, end, drawing)
        free = canvas.is_free(points, 0)
        start, end, angle, points = _choose(free, start, end, angle, points)
        alive = free.any(1) & (missing > 0)
        canvas.take(points, number, alive, drawing.clearance)
        pairs = [(start, end)]
        for _ in range(1, drawing.distractor):
            start, end, angle, alive = _grow(rng, canvas, end, angle, number, alive)
            number += 2
            pairs.append((start, end))
        number += 2
        missing = missing - alive
        short += [np.stack(pair, 1) for pair in pairs]
        owner += [np.where(alive, 2 + i, -1)] * len(pairs)
    if not short:
        return scenes
    return replace(
        scenes,
        dashes=np.concatenate([scenes.dashes, np.stack(short, 1)], 1),
        owner=np.concatenate([scenes.owner, np.stack(owner, 1)], 1),
    )
