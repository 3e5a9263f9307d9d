"""Small shapes for tests."""

from pathlib import Path

import numpy as np


def write_clouds(root: Path, splits: dict[str, int]) -> None:
    """Balls and discs of 64 points, as .npy."""
    rng = np.random.default_rng(0)
    for split, count in splits.items():
        for name in ("ball", "disc"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                normal = rng.normal(size=(64, 3))
                normal /= np.linalg.norm(normal, axis=1, keepdims=True)
                pos = normal * ([1, 1, 0.05] if name == "disc" else [1, 1, 1])
                np.save(folder / f"{i}.npy", np.concatenate([pos, normal], axis=1))
