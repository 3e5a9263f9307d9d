"""Learning rates of peers: tried on the fold that is not reported."""

from pathlib import Path

import numpy as np

from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import peer_rates
from ccnn_geo.experiments.studies.peer_rates import RATES, tries
from ccnn_geo.experiments.studies.peer_training import PEERS
from ccnn_geo.experiments.studies.point_peers import METHODS


def test_rates_are_tried_on_the_other_fold(tmp_path, monkeypatch):
    for i in range(4):
        (tmp_path / "root/train/a").mkdir(parents=True, exist_ok=True)
        np.save(tmp_path / f"root/train/a/{i}.npy", np.zeros((4, 6), np.float32))
    asked = []

    def instead(function, folder, config, kind, epochs, seconds):
        asked.append((config, kind, epochs, seconds))
        rate = config["optim"]["lr"]
        return {"training": 90.0, "accuracy": 70 + 1000 * rate, "seconds": [30.0, 60.0]}

    monkeypatch.setattr(peer_rates, "apart", instead)
    options = Options("small", tmp_path / "root", (0,))
    text = run_study(peer_rates.STUDY, options, tmp_path / "out", say=str).read_text()
    assert (
        "| PointNet | 0.001 | 90.0 | 71.0 | 1.0 |" in text and "| DGCNN | 0.003 | 90.0 | 73.0 | 1.0 |" in text
    )
    roots = {Path(config["data"]["root"]) for config, *_ in asked}
    assert {p.name for root in roots for p in root.glob("validation/a/*")} == {"3.npy"}
    assert {tuple(rest) for _, *rest in asked} == {("peer", 15, None)}
    assert len(asked) == len(PEERS) * len(RATES) + len(peer_rates.OTHERS)


def test_but_for_rates_peers_are_those_of_the_study():
    for name, method in tries().items():
        peer, what = name.split("-")
        changed = peer_rates.OTHERS[peer] if what == "other" else {}
        assert method.model == METHODS[peer].model | changed.get("model", {})
        assert method.features == changed.get("features", METHODS[peer].features)
