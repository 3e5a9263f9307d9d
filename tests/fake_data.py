"""Small data sets of each family, registered for a test as if they were shipped."""

import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from ccnn_geo.datasets import registry
from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.datasets.base.signals import SignalDataset
from ccnn_geo.datasets.images.images import ImageDataset

COUNTS = {"train": 40, "validation": 12, "test": 16}
FILE = DataFile("http://127.0.0.1:9/tones.bin", "tones.bin", "sha256:" + "0" * 64, 1_500_000)


def labels(split: str, classes: int) -> np.ndarray:
    """Sorted by class, as folders are."""
    return np.sort(np.arange(COUNTS[split]) % classes)


def noise(split: str, *shape: int) -> np.ndarray:
    return np.random.default_rng(list(COUNTS).index(split)).normal(size=(COUNTS[split], *shape))


class Tones(SignalDataset):
    """Low and high tones, for which ``root/tones/tones.bin`` must be there."""

    info = DatasetInfo(
        name="tones",
        title="low and high tones",
        family="sequence",
        in_channels=1,
        size=(32,),
        classes=2,
        counts=COUNTS,
        folder="tones",
        files=(FILE,),
        prepared=2_000,
        source="made for this test",
    )

    def __init__(self, root, split="train", *, download=True, transform=None, length=32):
        path = Path(root) / "tones" / "tones.bin"
        if not path.exists():
            if download:
                raise ConnectionError(f"could not fetch {FILE.url}; place it at {path}")
            raise FileNotFoundError(f"no {path}; place {FILE.url} there")
        y = labels(split, 2)
        wave = np.sin(np.linspace(0, 4 * np.pi, length) * (1 + 2 * y[:, None]))
        values = (wave + 0.1 * noise(split, length)).astype(np.float32)
        super().__init__(values, y, ["low", "high"], lambda v: torch.from_numpy(v)[None], transform)


class OwnTones(Tones):
    """The same as files of a user, who has no validation split."""

    info = replace(Tones.info, name="own", counts={}, files=(), classes=0, in_channels=None)

    def __init__(self, root, split="train", **kwargs):
        if split == "validation":
            raise FileNotFoundError(f"{root}: no split 'validation'")
        super().__init__(root, split, **kwargs)


class Spots(ImageDataset):
    """A bright half: left, right or top."""

    info = DatasetInfo("spots", "bright halves", "image", 2, (8, 8), 3, COUNTS, "spots")

    def __init__(self, root, split="train", *, transform=None):
        y = labels(split, 3)
        x = torch.from_numpy(noise(split, 2, 8, 8) * 20 + 100).byte()
        for image, label in zip(x, y, strict=True):
            half = [image[..., :4], image[..., 4:], image[:, :4]][label]
            half += 80
        super().__init__(x, y, ["left", "right", "top"], (0.5, 0.5), (0.2, 0.2), transform=transform)


class _Points(torch.utils.data.Dataset):
    def __init__(self, root, split="train", *, transform=None):
        self.transform, self.split = transform, split
        self.y, self.index = torch.from_numpy(labels(split, 2)), torch.arange(COUNTS[split])
        self.classes = ["even", "odd"]

    def __len__(self):
        return len(self.index)

    def __getitem__(self, index):
        if isinstance(index, torch.Tensor):
            part = type(self)(None, self.split)
            part.index, part.y = self.index[index], self.y[index]
            return part
        data = self.sample(int(self.index[index]), int(self.y[index]))
        return data if self.transform is None else self.transform(data)


class Visits(_Points):
    """Series irregular in time: the label is the sign of what is measured."""

    info = DatasetInfo("visits", "irregular visits", "series", 3, None, 2, COUNTS, "visits")

    def sample(self, place, label):
        generator = torch.Generator().manual_seed(place)
        x = torch.randn(9 + place % 5, 3, generator=generator) + 2 * label - 1
        pos = 2 * torch.rand(len(x), 1, generator=generator).sort(dim=0).values - 1
        return Data(x=x, pos=pos, y=torch.tensor([label]))


class Scenes(_Points):
    """Points with a label each, or -1: above or below the ground."""

    info = DatasetInfo("scenes", "above and below", "scene", 1, None, 2, COUNTS, "scenes")

    def sample(self, place, label):
        pos = 2 * torch.rand(30, 3, generator=torch.Generator().manual_seed(place)) - 1
        y = (pos[:, 2] > 0).long()
        if place % 4 == 0:  # as points of no class in laser scans; a whole one now and then
            y[:: 1 if place == 0 else 3] = -1
        return Data(x=pos[:, 2:], pos=pos, y=y)


FAKES = {"tones": Tones, "own": OwnTones, "spots": Spots, "visits": Visits, "scenes": Scenes}


def register(monkeypatch, folder: Path) -> Path:
    """Adds :data:`FAKES` to the registry, and their file to a folder, which is returned."""
    module = types.ModuleType("ccnn_geo.datasets.fakes")
    for name, cls in FAKES.items():
        setattr(module, cls.__name__, cls)
        monkeypatch.setitem(registry.PLACES, name, f"fakes:{cls.__name__}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    (folder / "tones").mkdir()
    (folder / "tones" / "tones.bin").touch()
    return folder
