"""Segments furniture into parts, a label per point: tops, legs, backs and arms of chairs and tables.

    python examples/part_segmentation_pyg.py

The script generates the shapes. To use your own data, replace `Furniture`: the loop needs only a `Data` with
pos [N, 3], normal [N, 3] and a label per point, y [N].
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from ccnn_geo import CCNN
from ccnn_geo.datasets import box, tube
from ccnn_geo.training import decay_groups, warmup_cosine
from ccnn_geo.transforms import (
    FarthestSubset,
    NormalizeSphere,
    PointFeatures,
    RandomRotate,
    RandomScaleShift,
    SampleSurface,
)

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


class Furniture(InMemoryDataset):
    """About 2,048 points of each piece, with normals and parts, stored once after ``pre_transform``."""

    def __init__(self, root, num_shapes, seed, transform=None, pre_transform=None):
        self.num_shapes, self.seed = num_shapes, seed
        super().__init__(root, transform, pre_transform, log=False)
        self.load(self.processed_paths[0])

    @property
    def processed_file_names(self):
        return f"furniture_{self.num_shapes}_{self.seed}.pt"

    def process(self):
        rng, generator = np.random.default_rng(self.seed), torch.Generator().manual_seed(self.seed)
        shapes = []
        for _ in range(self.num_shapes):
            parts = furniture(rng)
            sample = SampleSurface(2048 // len(parts), generator)
            clouds = []
            for (vertices, faces), part in parts:
                mesh = Data(pos=torch.from_numpy(vertices).float(), face=torch.from_numpy(faces).T)
                cloud = sample(mesh)
                clouds.append(Data(pos=cloud.pos, normal=cloud.normal, y=torch.full((sample.num,), part)))
            whole = Batch.from_data_list(clouds)
            shapes.append(self.pre_transform(Data(pos=whole.pos, normal=whole.normal, y=whole.y)))
        self.save(shapes, self.processed_paths[0])


parser = argparse.ArgumentParser()
parser.add_argument("--root", default="data/furniture")
parser.add_argument("--preset", default="ccnn_4_32")
parser.add_argument("--shapes", type=int, default=400)
parser.add_argument("--points", type=int, default=512)
parser.add_argument("--neighbors", type=int, default=32)
parser.add_argument("--epochs", type=int, default=20)
args = parser.parse_args()

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
features = PointFeatures(["constant", "normal_outer", "pos"])
augment = [FarthestSubset(args.points), RandomRotate("z"), RandomScaleShift()]
test_transform = Compose([FarthestSubset(args.points, random=False), features])
stored = {"pre_transform": NormalizeSphere()}
train_set = Furniture(args.root, args.shapes, 0, Compose([*augment, features]), **stored)
test_set = Furniture(args.root, max(1, args.shapes // 4), 1, test_transform, **stored)
train_loader = DataLoader(train_set, batch_size=16, shuffle=True)
test_loader = DataLoader(test_set, batch_size=16)

model = CCNN.from_preset(
    args.preset,
    dim=3,
    in_channels=10,
    out_channels=len(PARTS),
    readout="node",
    omega_0=0.5,
    window_init=0.3,
    num_neighbors=args.neighbors,
).to(device)
optimizer = torch.optim.AdamW(decay_groups(model, weight_decay=0.1, decay="weights"), lr=0.01)
steps = args.epochs * len(train_loader)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, steps // 25, steps))


def train():
    model.train()
    total_loss = 0.0
    for data in train_loader:
        data = data.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data), data.y)  # [N, parts], [N]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        total_loss += loss.item() * data.num_graphs
    return total_loss / len(train_set)


@torch.no_grad()
def test():
    """Returns accuracy and the intersection over union of each part, over all points of the test set."""
    model.eval()
    confusion = torch.zeros(len(PARTS), len(PARTS), device=device)
    for data in test_loader:
        data = data.to(device)
        pairs = data.y * len(PARTS) + model(data).argmax(dim=1)
        confusion += pairs.bincount(minlength=len(PARTS) ** 2).view_as(confusion)
    right = confusion.diagonal()
    return (right.sum() / confusion.sum()).item(), (
        right / (confusion.sum(0) + confusion.sum(1) - right)
    ).tolist()


for epoch in range(1, args.epochs + 1):
    print(f"Epoch: {epoch:03d}, Loss: {train():.4f}")
accuracy, iou = test()
print(
    f"Test: {accuracy:.4f}, IoU: {', '.join(f'{name} {value:.3f}' for name, value in zip(PARTS, iou, strict=True))}"
)
