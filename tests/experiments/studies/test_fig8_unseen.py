"""Sizes with and without band-limits, on known and unknown kinds."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ccnn_geo.experiments.engine.reproduction import Options
from ccnn_geo.experiments.studies import fig8_unseen as study
from ccnn_geo.experiments.studies import held_out, size_picture


@pytest.fixture
def root(tmp_path):
    """A class of eight shapes of four kinds."""
    folder = tmp_path / "root/train/plant"
    folder.mkdir(parents=True)
    rows = [("file", "kind")]
    for i in range(8):
        np.save(folder / f"{i}.npy", np.zeros((4, 3)))
        rows.append((f"train/plant/{i}.npy", f"plant/{i // 2}"))
    with (tmp_path / "root/kinds.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path / "root"


def test_rows_differ_in_their_size_and_first_frequencies(tmp_path):
    for size in study.SIZES:
        slow, fast = (
            study.UNSEEN.settings(study.ROWS[f"{size}{end}"].method, tmp_path, 0)["model"]
            for end in size_picture.LIMITS
        )
        assert (slow["preset"], slow["omega_0"]) == (size, 0.5)
        assert fast == {**slow, "omega_0": 50.0}


def test_known_kinds_and_unknown_ones_are_parted_apart(root, tmp_path, monkeypatch):
    held = {}

    def train(function, folder, config, kind, epochs):
        place = config["data"]["root"]
        held[place] = sorted(int(path.stem) for path in Path(place, "validation/plant").glob("*"))
        raise InterruptedError

    monkeypatch.setattr(held_out, "apart", train)
    jobs = study.jobs(Options("full", root, (0,)))
    assert len(jobs) == 2 * 4 * len(study.ROWS)
    for job in jobs:
        if "ccnn_4_16-" in job.name:
            place = tmp_path / "study/jobs" / job.name
            place.mkdir(parents=True)
            with pytest.raises(InterruptedError):
                job.run(place)
    assert len(held) == 8
    unknown = [part for place, part in sorted(held.items()) if "/draws/" in place]
    known = [part for place, part in sorted(held.items()) if "/folds/" in place]
    assert all(len({i // 2 for i in part}) == 1 for part in unknown)  # a kind as a whole
    assert all(len({i // 2 for i in part}) == 2 for part in known)
    for some in (unknown, known):
        assert sorted(i for part in some for i in part) == list(range(8))


def test_the_report_has_a_table_for_each_and_a_picture(tmp_path):
    options = Options("full", tmp_path, (0,))
    numbers = {}
    for name in study.ROWS:
        for i in range(4):
            one = {"once": 50.0 + i, "voted": 60.0, "shapes": 10, "training": 90.0, "seconds": 60.0}
            one["parameters"] = 1000 * (1 + list(study.ROWS).index(name))
            numbers[f"{name}-{i}"] = one
            numbers[f"{study.KNOWN}{name}-{i}"] = {**one, "once": 80.0}
    text = study.report(numbers, options, tmp_path)
    assert text.count("| CCNN-4,140 |") == 2 and (tmp_path / "sizes.png").exists()
    unknown, known = text.split("\n\nAccuracy")
    assert "on unseen kinds" in unknown and "| 51.5 |" in unknown and "| 80.0 |" in known
    small = Options("small", tmp_path, (0,))
    assert "80.0" not in study.report({k: n for k, n in numbers.items() if k[0] == "c"}, small, tmp_path)
