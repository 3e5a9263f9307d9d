"""Networks on unseen kinds of shapes, beside their peers: equal data, augmentation, batches and epochs.

    python -m ccnn_geo.experiments.studies.unseen_kinds --root FOLDER  # kinds.csv in it, as psb_folder writes it

Each training holds out whole kinds: biplanes, say, of which none is in the training set (``kind_folds``). Seed s is the
s-th partition of the kinds into four parts, and each part is held out by one training. Everything else is as in
``point_peers``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ccnn_geo.experiments.data.folds import FOLDS
from ccnn_geo.experiments.data.kind_folds import kind_folder, read_kinds
from ccnn_geo.experiments.engine.reproduction import Job, Options, Study, main
from ccnn_geo.experiments.studies.held_out import FITTED, HeldOut, Row, changed
from ccnn_geo.experiments.studies.point_peers import METHODS, Method, settings

PEERS = ("pointnet", "pointnet2", "dgcnn", "pointmlp", "pointnext")
STRONG = {"scale": [0.5, 1.6], "jitter": 0.02, "point_dropout": 0.5}
"""Augmentation of all rows except those named without it."""
FILLED = {**STRONG, "point_fill": True}
"""The same for peers, which take clouds of one size: some points come twice."""
_BASE = METHODS["ccnn_4_48"]


ROWS: Mapping[str, Row] = {
    **{name: Row(METHODS[name], FILLED) for name in PEERS},
    **{name: Row(METHODS[name], STRONG) for name in ("ccnn_4_32", "ccnn_4_48", "ccnn_4_140")},
    "small": changed("CCNN-4,32 and sets of 24", STRONG, "ccnn_4_32_sets"),
    "members": changed("four CCNN-4,48 in one", STRONG, members=4, kernel_hidden=24),
    "large": changed("four CCNN-4,48 in one and sets of 64", STRONG, "ccnn_4_48_sets"),
    "sets": changed("CCNN-4,48 and sets of 64", STRONG, set_channels=64),
    "committee": Row(replace(_BASE, title="four CCNN-4,48"), STRONG, members=4),
    "gated": changed("CCNN-4,48, gates", STRONG, block="gated"),
    "fitted": changed("CCNN-4,48, kernels by the first batch", STRONG, **FITTED),
    "weak": Row(replace(_BASE, title="CCNN-4,48, augmentation of point_peers")),
    "turned": Row(replace(_BASE, title="CCNN-4,48, turned about y"), {**STRONG, "rotate_axis": "y"}),
    "dropout": changed("CCNN-4,48, dropout 0.3", STRONG, dropout=0.3),
    "mean_max": changed("CCNN-4,48, mean and maximum", STRONG, pool="mean_max"),
    "without_pos": Row(
        replace(_BASE, title="CCNN-4,48, positions not a feature", features=("constant", "normal_outer")),
        STRONG,
    ),
}
"""The rows."""


EPOCHS = {"small": 30, "full": 30, "ablations": 30}


def point_settings(method: Method, root: Path, seed: int) -> dict[str, Any]:
    """The settings of ``point_peers`` at its small scale."""
    return settings(method, "small", root, seed)


HELD_OUT = HeldOut(
    ROWS,
    scales={
        "small": ("pointnet", "small", "large"),
        "full": (*PEERS, "small", "large"),
        "ablations": tuple(name for name in ROWS if name not in PEERS),
    },
    epochs=EPOCHS,
    folds=FOLDS,
    part=kind_folder,
    settings=point_settings,
    reference={"small": "pointnet", "full": "dgcnn", "ablations": "ccnn_4_48"},
    what=f"on held-out kinds, over all shapes, each predicted by the one of {FOLDS} networks that did not see "
    "its kind (each seed partitions the kinds differently)",
)


def jobs(options: Options) -> Sequence[Job]:
    """A training of each method and draw."""
    read_kinds(options.data_root)  # reports what is missing before any training
    return HELD_OUT.jobs(options)


STUDY = Study(
    "unseen_kinds",
    "networks on unseen kinds of shapes, beside their peers",
    "Beyond the paper: docs/unseen.md.",
    jobs,
    HELD_OUT.report,
    data="kinds.csv and <split>/<class>/<file>, as psb_folder writes them",
    seeds=1,
    scales=tuple(HELD_OUT.scales),
)

if __name__ == "__main__":
    main(STUDY)
