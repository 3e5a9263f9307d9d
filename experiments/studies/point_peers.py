"""Networks on point clouds beside CCNNs: equal data, equal augmentation, equal epochs and equal time.

    python -m ccnn_geo.experiments.studies.point_peers --root FOLDER  # <split>/<class>/<file>, as psb_folder writes it
    python -m ccnn_geo.experiments.studies.point_peers --scale paper --root FOLDER        # where ModelNet40 is

Every method sees the same shapes, points, augmentation, batches, loss, schedule, weight decay and gradient clipping,
those of one configuration. All networks get positions and products of normals, which do not depend on the side of a
face, except for the CCNN with the paper's settings, which also keeps its loss and weight decay. Each method has its
own learning rate: a CCNN that of its configuration, peers 0.001, the rate of Adam in their publications.
``peer_rates`` found it as good as 0.003 or better (not yet tried for PointMLP, which its authors train with SGD, or for
PointNeXt). Seed s validates on fold s mod 3 of ``folds``, so three seeds have three validation sets, none of them the
one used to choose settings. The schedule of each training ends with it: after a common number of epochs, or
after as many as fit into the seconds that all have, on a CPU those of the processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ccnn_geo.datasets import ModelNet40
from ccnn_geo.experiments.data.folds import fold_folder
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main
from ccnn_geo.experiments.studies.budget_training import train_within
from ccnn_geo.experiments.studies.peer_report import peer_report
from ccnn_geo.experiments.studies.peer_training import apart
from ccnn_geo.training.lightning import yaml
from ccnn_geo.training.runs import find_config

RECIPE = "modelnet40/ccnn_4_140_bandlimited"
"""Configuration whose ``data``, ``trainer`` and ``optim`` all methods share, except for the keys in :data:`OWN`."""
OWN = ("lr", "kernel_l2")
"""Keys of ``optim`` that a CCNN takes from its own configuration."""
BUDGETS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "small": {"time": {"seconds": 180.0}, "epochs": {"epochs": 30}},
    "paper": {"time": {"seconds": 36000.0}, "epochs": {"epochs": 200}},
}
TUNED_ON = 3
"""Fold used to choose settings; seeds use the folds before it."""


@dataclass(frozen=True)
class Method:
    """A network and its settings.

    Args:
        title: Name in the report.
        config: Name or file of a CCNN's configuration, for its ``model`` and its part of ``optim``; a peer has none.
        model: Arguments of the network, over those of the configuration; ``peer`` is the name of a peer.
        optim: Settings of the training that differ.
        features: Input features of the network; peers add positions themselves.
    """

    title: str
    config: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)
    optim: Mapping[str, Any] = field(default_factory=dict)
    features: Sequence[str] = ("normal_outer",)


NEIGHBORS = {"num_neighbors": 16}
"""On half of the recipe's points these reach as far as its 32."""
FEATURES = ("constant", "normal_outer", "pos")

METHODS = {
    "pointnet": Method("PointNet", model={"peer": "pointnet"}, optim={"lr": 1e-3}),
    "pointnet2": Method(
        "PointNet++ (SSG)",
        model={"peer": "pointnet2", "radii": [0.4, 0.8]},  # for a quarter of the published number of points
        optim={"lr": 1e-3},
    ),
    "dgcnn": Method("DGCNN", model={"peer": "dgcnn"}, optim={"lr": 1e-3}),
    "pointmlp": Method("PointMLP-elite", model={"peer": "pointmlp"}, optim={"lr": 1e-3}),
    "pointnext": Method(
        "PointNeXt-S",
        model={"peer": "pointnext", "radius": 0.3},  # as for PointNet++
        optim={"lr": 1e-3},
    ),
    "perceiver": Method("Perceiver", model={"peer": "perceiver"}, optim={"lr": 1e-3}),
    "paper": Method(
        "CCNN-4,140 as the paper sets it",
        "modelnet40/ccnn_4_140_paper",
        optim={"weight_decay": 0.0, "label_smoothing": 0.0},
        features=("normal", "pos"),
    ),
    **{
        size: Method(f"{title}, band-limited", RECIPE, {"preset": size}, features=FEATURES)
        for size, title in (
            ("ccnn_4_140", "CCNN-4,140"),
            ("ccnn_4_48", "CCNN-4,48"),
            ("ccnn_4_32", "CCNN-4,32"),
        )
    },
}
"""All methods by name."""
OURS = ("ccnn_4_140", "ccnn_4_48", "ccnn_4_32")
"""Methods to choose the reference from."""


def settings(method: Method, scale: str, root: Path, seed: int) -> dict[str, Any]:
    """``seed``, ``model``, ``optim``, ``data`` and ``trainer`` of a training, except its length."""
    recipe = yaml.safe_load(find_config(RECIPE).read_text())
    shared = {key: value for key, value in recipe["optim"].items() if key not in (*OWN, "warmup_epochs")}
    model: dict[str, Any] = {}
    if method.config:
        config = yaml.safe_load(find_config(method.config).read_text())
        model = config["model"]
        shared |= {key: config["optim"][key] for key in OWN if key in config["optim"]}
    data = {**recipe["data"], "features": list(method.features), "root": str(root)}
    data |= {"seed": seed} if scale == "paper" else {"dataset": "folder", "num_points": 256}
    reach = NEIGHBORS if scale == "small" and method.config == RECIPE else {}
    return {
        "seed": seed,
        "model": {**model, **method.model, **reach},
        "optim": {**shared, **method.optim},
        "data": data,
        "trainer": {key: value for key, value in recipe["trainer"].items() if key != "max_epochs"},
    }


def classifier(method: Method) -> str:
    """The classifier of ``peer_training`` that trains a method."""
    return "ccnn" if method.config else "peer"


def jobs(options: Options) -> Sequence[Job]:
    """A training of each method, budget and seed."""
    if options.scale == "paper":
        ModelNet40(options.data_root, "train")  # finds what is missing before any training
    return [
        Job(f"{budget}-{name}-{seed}", partial(_train, options, budget, name, seed))
        for seed in options.seeds
        for budget in BUDGETS[options.scale]
        for name in METHODS
    ]


def _train(options: Options, budget: str, name: str, seed: int, folder: Path) -> Numbers:
    root = options.data_root
    if options.scale == "small":
        fold = seed % TUNED_ON
        root = fold_folder(root, folder.parents[1] / "folds" / str(fold), fold)
    method = METHODS[name]
    config = settings(method, options.scale, root, seed)
    given = BUDGETS[options.scale][budget]
    return apart(train_within, folder, config, classifier(method), given.get("epochs"), given.get("seconds"))


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a table and draws a panel of each picture for each budget."""
    found = {
        f"{value:g} {unit}": {
            name: [numbers[f"{budget}-{name}-{seed}"] for seed in options.seeds] for name in METHODS
        }
        for budget, given in BUDGETS[options.scale].items()
        for unit, value in given.items()
    }
    return peer_report(found, {name: method.title for name, method in METHODS.items()}, OURS, folder)


STUDY = Study(
    "point_peers",
    "networks on point clouds beside CCNNs, in equal time and in equal epochs",
    "Table 1 and Fig. 8 of the paper, which cite their peers' numbers.",
    jobs,
    report,
    data="<split>/<class>/<file>, with train and validation sets joined (small), or where ModelNet40 is (paper)",
    seeds=3,
)

if __name__ == "__main__":
    main(STUDY)
