"""Classifies time series with real time stamps, as points on the time axis: no binning, no filling in.

    python examples/time_series_pyg.py                                      # generates series in data/chirps
    python examples/time_series_pyg.py --root FOLDER                        # FOLDER/<split>/<class>/*.csv
    python examples/time_series_pyg.py --root data --dataset physionet2012  # intensive care: downloads

A CSV file has a column `time`, numbers or dates, and one column per variable; cells may be empty. The network gets each
variable's value, 0 if it is missing, and a mask that marks observed values. Splits are train and test.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch_geometric.loader import DataLoader
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_auroc

from ccnn_geo import CCNN
from ccnn_geo.datasets import dataset_class
from ccnn_geo.training import decay_groups, warmup_cosine

parser = argparse.ArgumentParser()
parser.add_argument("--root", help="by default generated series in data/chirps")
parser.add_argument("--dataset", default="csv_series", help="or physionet2012")
parser.add_argument("--preset", default="ccnn_4_16")
parser.add_argument(
    "--omega", type=float, default=5.0, help="initial kernel frequency, in rad per half a record"
)
parser.add_argument("--neighbors", type=int, default=64)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--make", type=int, default=100, help="generated training series per class")
args = parser.parse_args()


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


if args.root is None:
    args.root = "data/chirps"
    if not Path(args.root).exists():
        write_chirps(args.root, args.make)

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Series = dataset_class(args.dataset)
train_set = Series(args.root, "train")  # samples: Data(x [N, 2V], pos [N, 1], y [1])
test_set = Series(args.root, "test")
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
test_loader = DataLoader(test_set, batch_size=32)
num_classes = train_set.num_classes

model = CCNN.from_preset(
    args.preset,
    dim=1,
    in_channels=train_set.in_channels,
    out_channels=num_classes,
    causal=True,  # a point sees only the past
    omega_0=args.omega,
    window_init=0.3,
    num_neighbors=args.neighbors,
    dropout=0.1,
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
        loss = F.cross_entropy(model(data), data.y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        total_loss += loss.item() * data.num_graphs
    return total_loss / len(train_set)


@torch.no_grad()
def test():
    model.eval()
    logits = torch.cat([model(data.to(device)).cpu() for data in test_loader])
    accuracy = multiclass_accuracy(logits, test_set.y, num_classes, average="micro")
    return accuracy.item(), multiclass_auroc(logits, test_set.y, num_classes).item()


for epoch in range(1, args.epochs + 1):
    print(f"Epoch: {epoch:03d}, Loss: {train():.4f}")
accuracy, auroc = test()
print(f"Test: {accuracy:.4f}, AUROC: {auroc:.4f}")
