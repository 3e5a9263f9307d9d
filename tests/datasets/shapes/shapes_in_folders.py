"""Folders of shapes in all formats, for tests."""

import numpy as np
import trimesh

SMALL = {"num_samples": 64, "num_points": 32}


def sphere(num: int = 200, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(num, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def write_shapes(root, write_box):
    """Two classes in two splits, in every format that needs no extra library."""
    for split, count in (("train", 3), ("test", 2)):
        for i in range(count):
            write_box(root / split / "box" / f"b{i}.off", (1, 2, 3 + i), glue="" if i == 1 else "\n")
        folder = root / split / "ball"
        folder.mkdir()
        ball = trimesh.creation.icosphere(subdivisions=2)
        for suffix in ("obj", "ply", "stl", "glb"):
            ball.export(folder / f"ball.{suffix}")
        np.save(folder / "a.npy", sphere())
        np.save(folder / "small.npy", sphere(20))
        np.savez(folder / "b.npz", pos=sphere(), normal=sphere() * 3)
        np.savetxt(folder / "c.xyz", np.hstack([sphere(), sphere()]))
        (folder / "README.md").write_text("not a shape")
        (folder / ".hidden.npy").write_text("not a shape either")
