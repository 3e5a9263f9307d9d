"""ModelNet10 in full: trained on voxel grids, tested on the official grids and on points of real test meshes.

    python -m ccnn_geo.experiments.studies.grids_to_meshes --root FOLDER

FOLDER has ``voxels`` from ``voxels_folder --test``, ``half`` from the same with ``--half``, and ``meshes`` from
``points_folder``. Networks see surface cells as points, by the settings of ``models/modelnet10``. They run unchanged
on grids of half the resolution, and on meshes, without the normals of these. Nothing is chosen within a
training; figures of validation are there to choose by. Votes are those of
:mod:`~ccnn_geo.experiments.studies.votes`.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main, mean_and_deviation
from ccnn_geo.experiments.studies.budget_training import train_within
from ccnn_geo.experiments.studies.held_out import FITTED, recipe_settings
from ccnn_geo.experiments.studies.peer_training import apart
from ccnn_geo.experiments.studies.point_peers import Method
from ccnn_geo.experiments.studies.size_picture import both_limits, draw_sizes
from ccnn_geo.experiments.studies.votes import VOTES, ask_and_vote, trained_network
from ccnn_geo.training.data.families import make_data
from ccnn_geo.training.data.shapes import ShapesDataModule

RECIPE = "models/modelnet10"
EPOCHS = {"small": 15, "full": 30}
PARTS = ("voxels", "half", "meshes")
SIZES = ("ccnn_4_16", "ccnn_4_32", "ccnn_4_48", "ccnn_4_140")


@dataclass(frozen=True)
class Row:
    """A training, by its differences from the recipe."""

    title: str
    model: Mapping[str, Any] = field(default_factory=dict)
    optim: Mapping[str, Any] = field(default_factory=dict)


ROWS: Mapping[str, Row] = {
    **{name: Row(*row) for size in SIZES for name, row in both_limits(size).items()},
    "small": Row("CCNN-4,32 and sets of 24", {"preset": "ccnn_4_32_sets"}),
    "large": Row("four CCNN-4,48 in one and sets of 64", {"preset": "ccnn_4_48_sets"}),
    "fitted": Row("CCNN-4,32, kernels by the first batch", FITTED),
    "far": Row("CCNN-4,32, 32 neighbours", {"num_neighbors": 32}),
    "adjusted": Row("CCNN-4,32, logits adjusted", optim={"logit_adjustment": 1.0}),
}
SCALES = {"small": ("ccnn_4_32", "small", "large"), "full": tuple(ROWS)}


def jobs(options: Options) -> Sequence[Job]:
    """A training of each network and seed."""
    missing = [part for part in PARTS if not (options.data_root / part / "test").is_dir()]
    if missing:
        raise FileNotFoundError(
            f"{options.data_root}: expected {missing[0]}/test in it, see the head of this study"
        )
    return [
        Job(f"{name}-{seed}", partial(_train, options, name, seed))
        for seed in options.seeds
        for name in SCALES[options.scale]
    ]


def settings(name: str, root: Path, seed: int) -> dict[str, Any]:
    """``seed``, ``model``, ``optim``, ``data`` and ``trainer`` of a training, except its length."""
    row = ROWS[name]
    config = recipe_settings(RECIPE)(Method(row.title, RECIPE, row.model), root / PARTS[0], seed)
    config["optim"] |= row.optim
    return config


def _train(options: Options, name: str, seed: int, folder: Path) -> Numbers:
    config = settings(name, options.data_root, seed)
    found = apart(train_within, folder, config, "ccnn", EPOCHS[options.scale], None)
    network = trained_network(folder, "ccnn")
    scores: Numbers = {"validation": found["accuracy"], "training": found["training"]}
    for part in PARTS:
        once, voted, label = on_test(network, config, options.data_root / part)
        for how, answers in (("once", once), ("voted", voted)):
            hit = answers.argmax(1) == label
            scores[f"{part}_{how}"] = 100 * float(hit.float().mean())
            scores[f"{part}_{how}_mean"] = 100 * statistics.fmean(
                float(hit[label == place].float().mean()) for place in label.unique().tolist()
            )
    return {**scores, "parameters": found["parameters"], "seconds": found["seconds"][-1]}


def on_test(network: nn.Module, config: Mapping[str, Any], root: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities ``[n, K]`` for the test set of a folder, once and by votes, and its classes ``[n]``.

    Raises:
        ValueError: If its classes differ from those of the training.
    """
    data = make_data({**config["data"], "root": str(root)})
    assert isinstance(data, ShapesDataModule), "the study is of shapes"
    data.setup("test")
    trained = sorted(path.name for path in (Path(config["data"]["root"]) / "train").iterdir())
    if list(data.classes) != trained:
        raise ValueError(
            f"{root}: expected the classes of the training, {', '.join(trained)}, got {data.classes}"
        )
    changed = data.pipeline.training(data.augment)
    return ask_and_vote(network, data.test_set, data.test_dataloader, changed, config["seed"])


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes a row for each network."""
    lines = [
        f"Accuracy in percent after {EPOCHS[options.scale]} epochs on voxel grids: all, mean of classes, and by "
        f"{VOTES} votes. Published on this task: the paper 90.64 on voxels and 90.99 on points, VoxNet 92.0, LightNet "
        "93.4, ORION 93.8. The paper used other points of the meshes, and other meshes.",
        "",
        "| | parameters | training | validation | voxels | mean class | by votes | mean class | half the resolution, "
        "by votes | meshes, mean class | by votes | minutes |",
        "|" + "---|" * 12,
    ]
    for name in SCALES[options.scale]:
        rows = [numbers[f"{name}-{seed}"] for seed in options.seeds]
        shown = (
            "validation",
            "voxels_once",
            "voxels_once_mean",
            "voxels_voted",
            "voxels_voted_mean",
            "half_voted_mean",
            "meshes_once_mean",
            "meshes_voted_mean",
        )
        cells = [
            ROWS[name].title,
            f"{rows[0]['parameters']:,}",
            f"{statistics.fmean(row['training'] for row in rows):.1f}",
            *(mean_and_deviation([row[key] for row in rows]) for key in shown),
            f"{statistics.fmean(row['seconds'] for row in rows) / 60:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    dots = {
        name: (
            numbers[f"{name}-{options.seeds[0]}"]["parameters"],
            statistics.fmean(numbers[f"{name}-{seed}"]["voxels_once"] for seed in options.seeds),
        )
        for name in SCALES[options.scale]
    }
    draw_sizes([("907 voxel grids of the test set", dots)], SIZES, folder / "sizes.png")
    return "\n".join([*lines, "", "![Parameters against accuracy](sizes.png)"])


STUDY = Study(
    "grids_to_meshes",
    "ModelNet10: trained on voxel grids, tested on grids and on points of real meshes",
    'Sec. 5 of the paper, "From regular to irregular data", at the size of the data set.',
    jobs,
    report,
    data="voxels, as voxels_folder --test writes it, and meshes, as points_folder does",
    seeds=1,
    scales=tuple(SCALES),
)

if __name__ == "__main__":
    main(STUDY)
