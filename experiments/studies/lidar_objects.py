"""Objects of airborne laser scans, ragged and without normals, beside peers: five folds.

    python -m ccnn_geo.experiments.studies.lidar_objects --root FOLDER  # as objects_folder writes it

Every object is predicted by the one of five networks that was not trained on it. Everything except the network is as in
``models/airborne5``, and normals are estimated for all. Peers take clouds of one size, so they see points of the
smallest objects several times. The folds of all seeds are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ccnn_geo.experiments.data.folds import fold_folder
from ccnn_geo.experiments.engine.reproduction import Study, main
from ccnn_geo.experiments.studies.held_out import (
    FITTED,
    HeldOut,
    Row,
    changed,
    recipe_settings,
    same_folds,
)
from ccnn_geo.experiments.studies.point_peers import METHODS
from ccnn_geo.experiments.studies.unseen_kinds import PEERS

FOLDS = 5
ROWS: Mapping[str, Row] = {
    **{name: Row(METHODS[name]) for name in (*PEERS, "ccnn_4_32")},
    "fitted": changed("CCNN-4,32, kernels by the first batch", {}, "ccnn_4_32", **FITTED),
    "small": changed("CCNN-4,32 and sets of 24", {}, "ccnn_4_32_sets"),
    "large": changed("four CCNN-4,48 in one and sets of 64", {}, "ccnn_4_48_sets"),
}
HELD_OUT = HeldOut(
    ROWS,
    scales={"small": ("pointnet", "ccnn_4_32", "small"), "full": tuple(ROWS)},
    epochs={"small": 15, "full": 30},
    folds=FOLDS,
    part=same_folds(partial(fold_folder, folds=FOLDS), FOLDS),
    settings=recipe_settings("models/airborne5"),
    reference={"small": "pointnet", "full": "dgcnn"},
    what=f"on all objects, each predicted by the one of {FOLDS} networks that did not see it",
)
STUDY = Study(
    "lidar_objects",
    "objects of airborne laser scans, ragged and without normals, beside peers",
    "Beyond the paper: docs/results.md.",
    HELD_OUT.jobs,
    HELD_OUT.report,
    data="<split>/<class>/<file>, as objects_folder writes them",
    seeds=1,
    scales=tuple(HELD_OUT.scales),
)

if __name__ == "__main__":
    main(STUDY)
