"""Mesh vertices of 33 classes of ModelNet40 beside peers: irregular points without normals.

    python -m ccnn_geo.experiments.studies.vertices33 --root FOLDER  # as vertices_folder writes it

Vertices lie where a modeller put them, many in one place, few in another. Networks see 256 of them, the
farthest apart or random ones, with or without weights of points. The validation set is fixed by names, and
everything except the network is as in ``modelnet40/vertices33``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ccnn_geo.experiments.engine.reproduction import Numbers, Options, Study, main
from ccnn_geo.experiments.studies.held_out import FITTED, HeldOut, Row, changed, recipe_settings
from ccnn_geo.experiments.studies.point_peers import METHODS
from ccnn_geo.experiments.studies.size_picture import both_limits, draw_sizes
from ccnn_geo.experiments.studies.unseen_kinds import PEERS

SIZES = ("ccnn_4_16", "ccnn_4_32", "ccnn_4_48", "ccnn_4_140")
_RANDOM = {"subset": "random"}


def _small(title: str, data: Mapping[str, str], **model: object) -> Row:
    return Row(changed(title, {}, "ccnn_4_32", **model).method, data=data)


ROWS: Mapping[str, Row] = {
    **{name: Row(METHODS[name]) for name in PEERS},
    **{
        name: changed(title, {}, **model)
        for size in SIZES
        for name, (title, model) in both_limits(size).items()
    },
    "small": changed("CCNN-4,32 and sets of 24", {}, "ccnn_4_32_sets"),
    "large": changed("four CCNN-4,48 in one and sets of 64", {}, "ccnn_4_48_sets"),
    "fitted": _small("CCNN-4,32, kernels by the first batch", {}, **FITTED),
    "density": _small("CCNN-4,32, weights by density", {}, measure="density"),
    "random": _small("CCNN-4,32, random vertices", _RANDOM),
    "random_density": _small("CCNN-4,32, random vertices, weights by density", _RANDOM, measure="density"),
    "random_quadrature": _small(
        "CCNN-4,32, random vertices, all neighbours, quadrature",
        _RANDOM,
        measure="quadrature",
        num_neighbors=None,
    ),
}


def _whole(root: Path, out: Path, number: int) -> Path:
    """Returns the folder itself, because its split is fixed."""
    return root


HELD_OUT = HeldOut(
    ROWS,
    scales={"small": ("pointnet", "ccnn_4_32", "small"), "full": tuple(ROWS)},
    epochs={"small": 6, "full": 15},
    folds=1,
    part=_whole,
    settings=recipe_settings("modelnet40/vertices33"),
    reference={"small": "pointnet", "full": "dgcnn"},
    what="on the 759 validation shapes",
)


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes the table, and draws accuracies over sizes."""
    draw_sizes([(HELD_OUT.what, HELD_OUT.sizes(numbers, options))], SIZES, folder / "sizes.png")
    return f"{HELD_OUT.report(numbers, options, folder)}\n\n![Parameters against accuracy](sizes.png)"


STUDY = Study(
    "vertices33",
    "mesh vertices of 33 classes of ModelNet40 beside peers",
    "Beyond the paper.",
    HELD_OUT.jobs,
    report,
    data="train and validation, as vertices_folder writes them",
    seeds=1,
    scales=tuple(HELD_OUT.scales),
)

if __name__ == "__main__":
    main(STUDY)
