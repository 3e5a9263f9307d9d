"""Segments furniture into parts, a label per point: tops, legs, backs and arms of chairs and tables.

    python examples/part_segmentation_pyg.py

The shapes are generated (made_data.py). To use your own data, replace `Furniture`: the loop needs only a `Data` with
pos [N, 3], normal [N, 3] and a label per point, y [N].
"""

import argparse

import torch
import torch.nn.functional as F
from made_data import PARTS, Furniture
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from ccnn_geo import CCNN
from ccnn_geo.training import decay_groups, warmup_cosine
from ccnn_geo.transforms import FarthestSubset, PointFeatures, RandomRotate, RandomScaleShift

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
features = PointFeatures(["constant", "normal_outer", "pos"])  # 1 + 6 + 3 channels
augment = [FarthestSubset(args.points), RandomRotate("z"), RandomScaleShift()]
test_transform = Compose([FarthestSubset(args.points, random=False), features])
train_set = Furniture(args.root, args.shapes, seed=0, transform=Compose([*augment, features]))
test_set = Furniture(args.root, max(1, args.shapes // 4), seed=1, transform=test_transform)
train_loader = DataLoader(train_set, batch_size=16, shuffle=True)
test_loader = DataLoader(test_set, batch_size=16)

kernels = {"omega_0": 0.5, "window_init": 0.3, "num_neighbors": args.neighbors}  # below the band limit
model = CCNN.from_preset(args.preset, 3, 10, len(PARTS), readout="node", **kernels).to(device)
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
    model.eval()
    confusion = torch.zeros(len(PARTS), len(PARTS), device=device)  # over all points of the test set
    for data in test_loader:
        data = data.to(device)
        pairs = data.y * len(PARTS) + model(data).argmax(dim=1)
        confusion += pairs.bincount(minlength=len(PARTS) ** 2).view_as(confusion)
    correct = confusion.diagonal()
    return correct.sum() / confusion.sum(), correct / (confusion.sum(0) + confusion.sum(1) - correct)


for epoch in range(1, args.epochs + 1):
    print(f"Epoch: {epoch:03d}, Loss: {train():.4f}")
accuracy, iou = test()
print(f"Test: {accuracy:.4f}, IoU:", ", ".join(f"{p} {v:.3f}" for p, v in zip(PARTS, iou, strict=True)))
