"""Networks in two processes beside one process with all samples; prints the differences as JSON.

python two_processes.py FOLDER
"""

import csv
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forks import Ended, fork, import_all, start, wait
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from ccnn_geo import CCNN
from ccnn_geo.cli import main
from ccnn_geo.nn.norm.batch import BatchNorm
from ccnn_geo.nn.norm.statistics import fresh_statistics
from ccnn_geo.nn.norm.sync import SyncBatchNorm1d, convert_sync_norms
from ccnn_geo.visualization import run_plots

SIZES = {"hidden_channels": 6, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.5}
CASES: dict[str, tuple[dict[str, Any], Sequence[int]]] = {  # arguments, and samples of each process
    "grid": ({"dim": 2}, (2, 2)),
    "ragged": ({"dim": 3, "num_neighbors": 6}, (2, 2)),
    "unequal": ({"dim": 3, "num_neighbors": 6}, (3, 1)),
    "mean_max": ({"dim": 3, "num_neighbors": 6, "pool": "mean_max"}, (1, 1)),
    "quadrature": ({"dim": 3, "num_neighbors": None, "measure": "quadrature"}, (2, 2)),
    "unsynchronised": ({"dim": 3, "num_neighbors": 6}, (2, 2)),
}
POINTS = (9, 23, 40, 12)


def make(name: str) -> CCNN:
    torch.manual_seed(1)
    return CCNN(2, 3, **{**SIZES, **CASES[name][0]}).double()


def samples(name: str, rank: int | None) -> tuple[list[Tensor], Tensor]:
    """Inputs and labels of a process, or of all."""
    arguments, counts = CASES[name]
    generator = torch.Generator().manual_seed(2)
    total, dim = sum(counts), arguments["dim"]
    begin, end = (0, total) if rank is None else (sum(counts[:rank]), sum(counts[: rank + 1]))
    y = torch.arange(total) % 3
    if dim == 2:
        x = torch.randn(total, 2, 5, 7, generator=generator, dtype=torch.double)
        return [x[begin:end]], y[begin:end]
    clouds = [
        (torch.randn(n, 2, generator=generator).double(), torch.rand(n, 3, generator=generator).double())
        for n in POINTS[:total]
    ][begin:end]
    x, pos = (torch.cat(parts) for parts in zip(*clouds, strict=True))
    batch = torch.cat([torch.full((len(c[0]),), i) for i, c in enumerate(clouds)])
    return [x, pos, batch], y[begin:end]


def train(name: str, network: CCNN, wrapped: nn.Module, rank: int | None) -> dict[str, Any]:
    """Three steps; the gradients of each, and what remains."""
    counts = CASES[name][1]
    inputs, y = samples(name, rank)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network.train()
    if name == "unsynchronised":
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
    grads = []
    for _ in range(3):
        optimizer.zero_grad()
        # DistributedDataParallel takes the mean over processes: this is the mean over all samples
        share = 1 / sum(counts) if rank is None else len(counts) / sum(counts)
        (share * F.cross_entropy(wrapped(*inputs), y, reduction="sum")).backward()
        grads.append({key: p.grad.clone() for key, p in network.named_parameters()})
        optimizer.step()
    return {"grads": grads, "state": {k: v.clone() for k, v in network.state_dict().items()}}


def alone() -> dict[str, dict[str, Any]]:
    networks = {name: make(name) for name in CASES}
    return {name: train(name, network, network, None) for name, network in networks.items()}


def join(rank: int, store: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)


def together(rank: int, store: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """All cases, and the norms, one after the other: what a process first imports and compiles takes longer."""
    join(rank, store)
    found = {}
    for name in CASES:
        network = make(name)
        if name != "unsynchronised":
            network = convert_sync_norms(network)
        found[name] = train(name, network, DistributedDataParallel(network), rank)
    return found, norms(rank)


def in_two(function, *args) -> list[Ended]:
    processes = [start(function, rank, *args) for rank in range(2)]
    ended = [wait(*process) for process in processes]
    for end in ended:
        if end.code:
            raise RuntimeError(end.errors)
    return ended


def difference(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    assert a.keys() == b.keys()
    return max(float((a[k].double() - b[k].double()).abs().max()) for k in a)


def cases(folder: Path) -> dict[str, Any]:
    one = fork(alone)
    if one.code:
        raise RuntimeError(one.errors)
    two, found_norms = zip(*(end.result for end in in_two(together, folder / "store")), strict=True)
    compared = {name: compare(one.result[name], [found[name] for found in two]) for name in CASES}
    return {"cases": compared, "norms": found_norms}


def compare(one: dict[str, Any], pair: list[dict[str, Any]]) -> dict[str, Any]:
    # seen by each process alone: the extent of its clouds, which bounds kernels that have no window
    states = [{k: v for k, v in p["state"].items() if not k.endswith("domain")} for p in (one, *pair)]
    scales = {k: v for k, v in states[0].items() if k.endswith(("scale.moment", "density"))}
    return {
        "grads": [difference(a, b) for p in pair for a, b in zip(one["grads"], p["grads"], strict=True)],
        "size": max(float(g.abs().max()) for grads in one["grads"] for g in grads.values()),
        "state": [difference(states[0], state) for state in states[1:]],
        "between": difference({k: states[1][k] for k in scales}, {k: states[2][k] for k in scales}),
        "scales": {k: float(v) for k, v in scales.items()},
    }


def norms(rank: int) -> dict[str, Any]:
    """One row in all, half precision, and a process without rows."""
    norm = SyncBatchNorm1d(3)
    norm.running_mean.fill_(2.0)
    single = norm(torch.full((1 - rank, 3), 5.0))
    unchanged = bool((norm.running_mean == 2).all() and (norm.running_var == 1).all())
    x = 1000 + torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(0))
    part = x[:5] if rank == 0 else x[5:]
    expected, norm = nn.BatchNorm1d(3, momentum=None), SyncBatchNorm1d(3, momentum=None)
    both = [expected(x), norm(part)]
    stats = difference(dict(expected.named_buffers()), dict(norm.named_buffers()))
    half = norm(part.bfloat16())
    plain = BatchNorm(3)  # each process has its own batches, as many as it likes
    with fresh_statistics(plain):
        for batch in [x[:3], x[3:]] if rank == 0 else [x[1:5]]:
            plain(batch)
    return {
        "single": single.tolist(),
        "unchanged": unchanged,
        "value": float((both[0][:5] if rank == 0 else both[0][5:]).sub(both[1]).abs().max()),
        "stats": stats,
        "half": str(half.dtype),
        "fresh": [plain.running_mean.tolist(), plain.running_var.tolist()],
    }


CONFIG = """\
name: tiny
model: {hidden_channels: 4, num_blocks: 1, kernel_hidden: 4, omega_0: 0.5, window_init: 0.3, num_neighbors: 8,
        pool: mean_max}
optim: {lr: 0.02, warmup_epochs: 1}
data: {dataset: folder, root: shapes, num_points: 24, num_samples: 32, augment: {jitter: 0.01}}
trainer: {max_epochs: 2, accelerator: cpu}
"""
SCENES = """\
name: scenes
model: {hidden_channels: 4, num_blocks: 1, kernel_hidden: 4, omega_0: 0.5, window_init: 0.3, num_neighbors: 8}
optim: {lr: 0.02, warmup_epochs: 1, label_smoothing: 0.1}
data: {dataset: scenes, root: .}
trainer: {max_epochs: 2, accelerator: cpu}
"""


def write_project() -> None:
    rng = np.random.default_rng(0)
    for name, height in (("ball", 1), ("disc", 0.05)):
        folder = Path("shapes/train") / name
        folder.mkdir(parents=True)
        for i in range(10):
            normal = rng.normal(size=(32, 3))
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            np.save(folder / f"{i}.npy", np.concatenate([normal * [1, 1, height], normal], axis=1))
    Path("tiny.yaml").write_text(CONFIG)
    Path("scenes.yaml").write_text(SCENES)
    sys.path.append(str(Path(__file__).parents[1]))
    import fake_data

    fake_data.COUNTS.update(
        train=12, validation=6
    )  # the first scene has no label: no batch of one process has then
    fake_data.register(pytest.MonkeyPatch(), Path.cwd())


def command(config: str, *arguments: str) -> tuple[int, list[str]]:
    return main(("train", "--config", config, *arguments)), list(sys.modules)


def as_torchrun(rank: int, port: int, nodes: int, config: str, *arguments: str) -> int:
    """The command as ``torchrun`` starts it, on one machine or as many as there are processes."""
    per_node = 2 // nodes
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "test",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank % per_node),
        "LOCAL_WORLD_SIZE": str(per_node),
        "GROUP_RANK": str(rank // per_node),
    }
    from pytorch_lightning.utilities import rank_zero_only

    rank_zero_only.rank = rank  # as found when it is imported in a process of its own
    sizes = ("--trainer.devices", str(per_node), "--trainer.num_nodes", str(nodes))
    return command(config, "--trainer.strategy", "ddp", *sizes, *arguments)[0]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def rows(run: str) -> list[dict[str, float]]:
    with Path(run, "metrics.csv").open() as file:
        return [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def weights(run: str) -> dict[str, Tensor]:
    """Without what a normalisation takes away: of such gradients, which are rounding, Adam makes steps.

    Biases, and the weights of a single channel, which only scale it.
    """
    state = torch.load(Path(run, "checkpoints", "last.ckpt"), weights_only=True)["state_dict"]
    return {
        k: v
        for k, v in state.items()
        if k.endswith((".weight", "domain", "scale.moment"))
        and not (k == "network.stem.pointwise.weight" and v.size(1) == 1)
    }


def commands() -> dict[str, Any]:
    """The command line on one process, and on two of one machine and of two, whose batches are together as large."""
    write_project()
    import_all(
        ["ccnn_geo.training.run"]
    )  # Lightning: else the first fork imports it, and then this process again
    # empty pictures: drawing them would take most of the time of so small a run
    run_plots.save = lambda figure, path: path.touch()
    found: dict[str, Any] = {}
    for config, size, name, nodes in (("tiny", 8, "two", 1), ("scenes", 2, "nodes", 2)):
        one = fork(command, f"{config}.yaml", "--out", config, "--data.batch_size", str(size))
        if one.result is None or one.result[0] != 0:
            raise RuntimeError(one.errors)
        import_all(one.result[1])
        options = ("--out", name, "--data.batch_size", str(size // 2), "--trainer.sync_batchnorm", "true")
        port = free_port()
        ended = in_two(as_torchrun, port, nodes, f"{config}.yaml", *options)
        if any(end.result != 0 for end in ended):
            raise RuntimeError("\n".join(end.errors for end in ended))
        found[name] = {
            "output": [end.output for end in ended],
            "errors": [end.errors for end in ended],
            "one": rows(config),
            "rows": rows(name),
            "weights": difference(weights(config), weights(name)),
            "files": sorted(p.relative_to(name).as_posix() for p in Path(name).rglob("*") if p.is_file()),
        }
    return found


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    here = Path.cwd()
    json.dump({**cases(here), "commands": commands()}, sys.stdout)
