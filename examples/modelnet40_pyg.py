"""Classifies shapes with a continuous CNN, using PyG's data, transforms and loader in a plain PyTorch loop.

    python examples/modelnet40_pyg.py --root data                           # downloads ModelNet40 (2 GB)
    python examples/modelnet40_pyg.py --dataset parametric                  # embedded shapes: no download
    python examples/modelnet40_pyg.py --dataset folder --root shapes --test validation  # <split>/<class>/*.off

Settings: docs/bandlimit.md. The test set is read once, after the last epoch.
"""

import argparse

import torch
import torch.nn.functional as F
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose

from ccnn_geo import CCNN
from ccnn_geo.datasets import dataset_class
from ccnn_geo.training import decay_groups, warmup_cosine
from ccnn_geo.transforms import FarthestSubset, PointFeatures, RandomScaleShift

parser = argparse.ArgumentParser()
parser.add_argument("--root", default="data")
parser.add_argument("--dataset", default="modelnet40", help="or modelnet10, parametric, folder")
parser.add_argument("--test", default="test", help="the split to test on")
parser.add_argument("--preset", default="ccnn_4_140")
parser.add_argument("--points", type=int, default=512)
parser.add_argument("--neighbors", type=int, default=32)
parser.add_argument("--epochs", type=int, default=100)
args = parser.parse_args()

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
features = PointFeatures(["constant", "normal_outer", "pos"])  # 1 + 6 + 3 channels
train_transform = Compose([FarthestSubset(args.points), RandomScaleShift(), features])
test_transform = Compose([FarthestSubset(args.points, random=False), features])
Shapes = dataset_class(args.dataset)
train_set = Shapes(args.root, "train", num_points=None, transform=train_transform)
test_set = Shapes(args.root, args.test, num_points=None, transform=test_transform)
train_loader = DataLoader(train_set, batch_size=16, shuffle=True)
test_loader = DataLoader(test_set, batch_size=16)

kernels = {"omega_0": 0.5, "window_init": 0.3, "num_neighbors": args.neighbors}  # below the band limit
model = CCNN.from_preset(args.preset, 3, 10, train_set.num_classes, **kernels).to(device)
optimizer = torch.optim.AdamW(decay_groups(model, weight_decay=0.1, decay="weights"), lr=0.01)
steps = args.epochs * len(train_loader)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, steps // 25, steps))


def train():
    model.train()
    total_loss = 0.0
    for data in train_loader:
        data = data.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data), data.y, label_smoothing=0.1)  # the Batch has x, pos and batch
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        total_loss += loss.item() * data.num_graphs
    return total_loss / len(train_set)


@torch.no_grad()
def test():
    model.eval()
    correct = 0
    for data in test_loader:
        data = data.to(device)
        correct += int((model(data).argmax(dim=1) == data.y).sum())
    return correct / len(test_set)


for epoch in range(1, args.epochs + 1):
    print(f"Epoch: {epoch:03d}, Loss: {train():.4f}")
print(f"Test: {test():.4f}")
