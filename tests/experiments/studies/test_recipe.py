"""The ablation's rows: each trains with its change, at both scales, and is compared with the recipe seed by seed."""

from pathlib import Path

import pytest

from ccnn_geo.experiments.engine import training_study
from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import recipe
from ccnn_geo.training.runs import find_config


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_rows_are_compared_with_the_recipe(scale, tmp_path, monkeypatch):
    asked = {}

    def train(folder: Path, config: str, seed: int, **changes: object) -> dict:
        assert find_config(config).is_file()
        asked[folder.name] = changes
        worse = 3.0 + seed if changes.get("model__omega_0") == 50.0 else 0.0
        curve = [60.0, 80.0 + seed - worse]
        return {
            "accuracy": curve[-1],
            "curve": curve,
            "training_curve": curve,
            "seconds": [1.0, 2.0],
            "parameters": 9,
        }

    monkeypatch.setattr(training_study, "train", train)
    monkeypatch.setattr(training_study, "test", lambda folder: 65.0)
    options = Options(scale, tmp_path, (0, 2))
    table = run_study(recipe.STUDY, options, tmp_path / "out", say=str).read_text().splitlines()
    rows = [line.split(" | ") for line in table if "| 9 |" in line]
    assert [row[0].removeprefix("| ") for row in rows] == list(recipe.CHANGES)
    assert "against the recipe" in "".join(table)
    differences = {row[0].removeprefix("| "): row[4] for row in rows}
    assert differences.pop("the recipe") == ""
    assert differences.pop("the paper's frequencies: omega_0 50") == "-4.0 ± 1.4"
    assert set(differences.values()) == {"0.0 ± 0.0"}
    assert len(asked) == 2 * len(recipe.CHANGES)
    for name, change in recipe.CHANGES.items():
        changes = asked[f"{training_study.file_name(name)}-0"]
        assert change.items() <= changes.items()
        assert ("trainer__max_epochs" in changes) == (scale == "small")
