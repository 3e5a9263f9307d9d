"""Data that two of the examples generate: furniture with labelled parts, and irregular time series."""

from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data, InMemoryDataset

from ccnn_geo.datasets import box, tube
from ccnn_geo.transforms import NormalizeSphere, SampleSurface

PARTS = ["top", "leg", "back", "arm"]


def furniture(rng):
    """Returns a random piece of furniture as meshes, each with its part number."""
    width, depth, height = rng.uniform(0.5, 1.2), rng.uniform(0.5, 1.0), rng.uniform(0.5, 1.5)
    parts = [(box([0, 0, height], [2 * width, 2 * depth, rng.uniform(0.05, 0.25)]), 0)]
    for x, y in [(-width, -depth), (width, -depth), (width, depth), (-width, depth)]:
        foot, joint = rng.uniform(0.7, 1.1) * np.array([x, y]), 0.85 * np.array([x, y])
        path = np.linspace([*foot, 0], [*joint, height], 3)
        parts.append((tube(path, rng.uniform(0.04, 0.12)), 1))
    if rng.random() < 0.7:
        back = rng.uniform(0.5, 1.5)
        parts.append((box([0, depth, height + back / 2], [2 * width, 0.1, back]), 2))
        if rng.random() < 0.6:
            rest = height + rng.uniform(0.25, 0.45) * back
            parts += [(box([x, 0, rest], [0.15, 2 * depth, 0.1]), 3) for x in (-width, width)]
    return parts


def labelled_cloud(parts, generator):
    """Returns about 2,048 points of the meshes with normals and part numbers, on the unit sphere."""
    sample = SampleSurface(2048 // len(parts), generator)
    clouds = []
    for (vertices, faces), part in parts:
        cloud = sample(Data(pos=torch.from_numpy(vertices).float(), face=torch.from_numpy(faces).T))
        clouds.append((cloud.pos, cloud.normal, torch.full((sample.num,), part)))
    pos, normal, y = map(torch.cat, zip(*clouds, strict=True))
    return NormalizeSphere()(Data(pos=pos, normal=normal, y=y))


class Furniture(InMemoryDataset):
    """Clouds of random furniture with a part number per point, stored once."""

    def __init__(self, root, num_shapes, seed, transform=None):
        self.num_shapes, self.seed = num_shapes, seed
        super().__init__(root, transform, log=False)
        self.load(self.processed_paths[0])

    @property
    def processed_file_names(self):
        return f"furniture_{self.num_shapes}_{self.seed}.pt"

    def process(self):
        rng, generator = np.random.default_rng(self.seed), torch.Generator().manual_seed(self.seed)
        clouds = [labelled_cloud(furniture(rng), generator) for _ in range(self.num_shapes)]
        self.save(clouds, self.processed_paths[0])


def write_chirps(root, per_class):
    """Writes series of two sensors, read irregularly and seldom together: their tone rises or falls."""
    rng = np.random.default_rng(0)
    for split, number in (("train", per_class), ("test", max(1, per_class // 2))):
        for name, sign in (("falling", -1), ("rising", 1)):
            folder = Path(root, split, name)
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(number):
                time = np.sort(rng.uniform(0, 10, rng.integers(60, 100)))
                tone = np.sin(5 * time + sign * 0.3 * (time - 5) ** 2 + rng.uniform(0, 2 * np.pi))
                values = tone[:, None] * [1.0, 0.5] + rng.normal(0, 0.2, (len(time), 2))
                kept = rng.random((len(time), 2)) < 0.6
                cells = np.where(kept, np.char.mod("%.3f", values), "")
                rows = [f"{t:.4f},{a},{b}" for t, (a, b) in zip(time, cells, strict=True)]
                (folder / f"{i}.csv").write_text("\n".join(["time,near,far", *rows]) + "\n")
