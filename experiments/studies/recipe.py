"""The effect of each part of the recipe for point clouds: trainings that remove, change or add one thing.

    python -m ccnn_geo.experiments.studies.recipe --root FOLDER        # <split>/<class>/<file>, as psb_folder writes it

At small scale a network of 25 k parameters on 256 points; at the paper's scale CCNN-4,140 on ModelNet40.
"""

from __future__ import annotations

from typing import Any

from ccnn_geo.experiments.engine.reproduction import main
from ccnn_geo.experiments.engine.training_study import Row, training_study

CONFIG = "modelnet40/ccnn_4_140_bandlimited"
SHARED = {
    "data__dataset": "folder",
    "data__num_points": 256,
    "model__preset": "ccnn_4_48",
    "model__num_neighbors": 16,
    "trainer__max_epochs": 30,
}
RECIPE = "the recipe"
CHANGES: dict[str, dict[str, Any]] = {
    RECIPE: {},
    "the paper's frequencies: omega_0 50": {"model__omega_0": 50.0},
    "the paper's window: 0.075": {"model__window_init": 0.075},
    "the paper's features: normals, positions": {"data__features": ["normal", "pos"]},
    "random points in every epoch": {"data__subset": "random"},
    "random points, the same in every epoch": {"data__subset": "random", "data__num_samples": 256},
    "density weights": {"model__measure": "density"},
    "weights of cells": {"data__reference_points": 256},
    "no scale, no shift": {"data__augment": None},
    "no label smoothing": {"optim__label_smoothing": 0.0},
    "all parameters decay": {"optim__decay": "all"},
    "no weight decay": {"optim__weight_decay": 0.0},
    "dropout 0.1": {"model__dropout": 0.1},
    "stochastic depth 0.2": {"model__drop_path": 0.2},
    "averaged weights: decay 0.99": {"optim__ema": 0.99},
    "mean and max readout": {"model__pool": "mean_max"},
    "frequencies limited at the start": {"model__init_spacing": "auto"},
    "frequencies penalised": {"optim__nyquist": 1e-3},
    "low-pass 0.1": {"model__conv": {"low_pass": 0.1}},
    "twice the neighbours": {"model__num_neighbors": 32},
}

STUDY = training_study(
    "recipe",
    "the effect of each part of the recipe for point clouds",
    "Beyond the paper: docs/bandlimit.md.",
    [Row(name, CONFIG, changes=change) for name, change in CHANGES.items()],
    "<split>/<class>/<file> with a validation split (small), or where ModelNet40 is (paper)",
    seeds=3,
    shared=SHARED,
    tested=False,
    reference=RECIPE,
)

if __name__ == "__main__":
    main(STUDY)
