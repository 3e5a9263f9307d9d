"""Pathfinder images from a recipe, at any size and seed; :mod:`.pathfinder_scenes` describes their content."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from ccnn_geo.datasets.base.workers import mapper
from ccnn_geo.datasets.images.pathfinder_drawing import Drawing
from ccnn_geo.datasets.images.pathfinder_scenes import CHUNK, Scenes, make_scenes


def draw(scenes: Scenes, drawing: Drawing) -> np.ndarray:
    """Draws scenes as images: white on black, with soft edges.

    Shapes:
        N scenes -> ``[N, size, size]`` uint8.
    """
    images = np.zeros((len(scenes), drawing.size, drawing.size), np.uint8)
    image, dash = np.nonzero(scenes.owner >= 0)
    ends = scenes.dashes[image, dash]
    _ink(images, image, ends[:, 0], ends[:, 1], drawing.thickness / 2)
    image = np.repeat(np.arange(len(scenes)), 2)
    centres = scenes.discs.reshape(-1, 2)
    _ink(images, image, centres, centres, drawing.radius)
    return images


def _ink(images: np.ndarray, image: np.ndarray, a: np.ndarray, b: np.ndarray, width: float) -> None:
    """Draws strokes from ``a`` to ``b [M, 2]``, ``width`` to either side, on the images ``[M]``."""
    if not len(a):
        return
    reach = int(np.ceil(np.linalg.norm(b - a, axis=1).max() / 2 + width + 1))
    patch = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    pixels = np.rint((a + b) / 2).astype(np.int64)[:, None] + patch
    along = b - a
    squared = (along**2).sum(-1) + 1e-12
    from_a = pixels - a[:, None]
    t = np.clip((from_a * along[:, None]).sum(-1) / squared[:, None], 0, 1)
    far = np.linalg.norm(from_a - t[..., None] * along[:, None], axis=-1)
    value = np.rint(255 * np.clip(width + 0.5 - far, 0, 1)).astype(np.uint8)
    size = images.shape[-1]
    seen = (value > 0) & ((pixels >= 0) & (pixels < size)).all(-1)
    place = (image[:, None] * size + pixels[..., 0]) * size + pixels[..., 1]
    np.maximum.at(images.reshape(-1), place[seen], value[seen])


def make_chunk(chunk: int, seed: int, drawing: Drawing) -> tuple[np.ndarray, np.ndarray]:
    """Makes images ``[CHUNK, size, size]`` uint8 and labels ``[CHUNK]`` uint8 of one chunk."""
    scenes = make_scenes(chunk, seed, drawing)
    return draw(scenes, drawing), scenes.y.astype(np.uint8)


def generate_images(
    num: int, size: int = 32, seed: int = 0, drawing: Drawing | None = None, num_workers: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Generates images and labels in batches, the same for any number of processes; a larger ``num`` only adds images.

    Args:
        num: Number of images.
        size: Height and width.
        seed: Seed of the generator.
        drawing: Settings of the drawing; None for those of this size as published.
        num_workers: Processes; 0 for none, None for one per core if the work takes longer than starting them.

    Yields:
        ``([B, size, size] uint8, [B] uint8)``; label 1 if a contour connects the discs.

    Raises:
        ValueError: If hardly any contours find room.
    """
    drawing = Drawing.of_size(size) if drawing is None else drawing
    chunks = -(-num // CHUNK)
    left = num
    if num_workers is None:
        num_workers = (
            (os.cpu_count() or 1) if chunks * drawing.size > 2000 else 0
        )  # a process takes seconds to start
    with mapper(num_workers) as run:
        for images, y in run(make_chunk, range(chunks), [seed] * chunks, [drawing] * chunks):
            yield images[:left], y[:left]
            left -= len(y)
