"""Fig. 8 of the paper: parameters against accuracy on shapes.

python -m ccnn_geo.experiments.fig8 --root FOLDER                # <split>/<class>/<file>, as psb_folder writes it
python -m ccnn_geo.experiments.fig8 --scale paper --root FOLDER        # ModelNet40
"""

from __future__ import annotations

from ccnn_geo.experiments.reproduction import main
from ccnn_geo.experiments.training_study import Row, training_study

PAPER = {"ccnn_4_16": None, "ccnn_4_32": None, "ccnn_4_48": None, "ccnn_4_140": 84.44, "ccnn_6_380": 85.70}
"""The figure has no numbers beside its dots; Table 1 has those of the two large ones."""
SHARED = {
    "data__num_points": 256,
    "trainer__max_epochs": 15,
    "optim__lr": 0.01,
}

STUDY = training_study(
    "fig8",
    "parameters against accuracy",
    "Fig. 8 and appendix C.2 of the paper.",
    [
        Row(size, f"modelnet40/{size}", {"model__preset": size}, "shapes/ccnn_4_32", paper)
        for size, paper in PAPER.items()
        if size != "ccnn_6_380"
    ],
    "<split>/<class>/<file> with a validation split (small), or where ModelNet40 is (paper)",
    seeds=3,
    shared=SHARED,
    note="Small scale: band-limited kernels (omega_0 0.5, window 0.5), 32 neighbours, one recipe for all sizes.",
)

if __name__ == "__main__":
    main(STUDY)
