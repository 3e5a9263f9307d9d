"""Classifies time series with real time stamps, as points on the time axis: no binning, no filling in.

    python examples/time_series_pyg.py                                      # generates series in data/chirps
    python examples/time_series_pyg.py --root FOLDER                        # FOLDER/<split>/<class>/*.csv
    python examples/time_series_pyg.py --root data --dataset physionet2012  # intensive care: downloads

A CSV file has a column `time`, numbers or dates, and one column per variable; cells may be empty. The network gets each
variable's value, 0 if it is missing, and a mask that marks observed values. Splits are train and test.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from made_data import write_chirps
from torch_geometric.loader import DataLoader
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_auroc

from ccnn_geo import CCNN
from ccnn_geo.datasets import dataset_class
from ccnn_geo.training import decay_groups, warmup_cosine

parser = argparse.ArgumentParser()
parser.add_argument("--root", default="data/chirps", help="the default is generated")
parser.add_argument("--dataset", default="csv_series", help="or physionet2012")
parser.add_argument("--preset", default="ccnn_4_16")
parser.add_argument("--omega", type=float, default=5.0, help="first kernel frequency, rad per half record")
parser.add_argument("--neighbors", type=int, default=64)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--make", type=int, default=100, help="generated training series per class")
args = parser.parse_args()

if args.root == "data/chirps" and not Path(args.root).exists():
    write_chirps(args.root, args.make)

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Series = dataset_class(args.dataset)
train_set = Series(args.root, "train")  # samples: Data(x [N, 2V], pos [N, 1], y [1])
test_set = Series(args.root, "test")
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
test_loader = DataLoader(test_set, batch_size=32)

kernels = {"omega_0": args.omega, "window_init": 0.3, "num_neighbors": args.neighbors}
options = {"causal": True, "dropout": 0.1, **kernels}  # a point sees only the past
model = CCNN.from_preset(args.preset, 1, train_set.in_channels, train_set.num_classes, **options).to(device)
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
    accuracy = multiclass_accuracy(logits, test_set.y, test_set.num_classes, average="micro")
    return accuracy, multiclass_auroc(logits, test_set.y, test_set.num_classes)


for epoch in range(1, args.epochs + 1):
    print(f"Epoch: {epoch:03d}, Loss: {train():.4f}")
accuracy, auroc = test()
print(f"Test: {accuracy:.4f}, AUROC: {auroc:.4f}")
