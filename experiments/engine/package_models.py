"""Puts trained networks into the package, with cards that quote the figures of their runs.

    ccnn-geo train --config models/shapes10 --out RUNS/shapes10
    python -m ccnn_geo.experiments.engine.package_models RUNS [NAME ...]

Figures come from ``results.json``: on the validation set after the last epoch, which was not used to choose anything,
and on each test set.
"""

from __future__ import annotations

import argparse
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import ccnn_geo
from ccnn_geo.export.classifier import save_classifier
from ccnn_geo.export.trained import read_network

HOME = Path(ccnn_geo.__file__).parent / "export" / "models"


def figures(results: dict[str, Any]) -> str:
    """Writes accuracies in words.

    Example:
        >>> figures({"validation": {"last_epoch": {"val_acc": 0.875}}, "test_points": {"accuracy": 0.8}})
        '87.5 % of its validation set, 80.0 % of the official test set'
    """
    last = results["validation"]["last_epoch"]
    iou = (
        f" of the points, mean IoU {100 * last['val_miou']:.1f} %, category given,"
        if "val_miou" in last
        else ""
    )
    found = [f"{100 * last['val_acc']:.1f} %{iou} of its validation set"]
    tests = [value for key, value in results.items() if key.startswith("test_")]
    found += [f"{100 * tests[0]['accuracy']:.1f} % of the official test set"] if tests else []
    return ", ".join(found)


def package(run: Path, name: str, about: dict[str, str], home: Path = HOME) -> Path:
    """Writes the folder of one network, from the last epoch of its run."""
    settings, network = read_network(run / "checkpoints" / "last.ckpt")
    results = json.loads((run / "results.json").read_text())
    told = {key: text for key, text in about.items() if key != "root"}
    told |= {
        "accuracy": figures(results),
        "trained": f"{about['root']}; ccnn-geo train --config models/{name}",
    }
    return save_classifier(
        home / name,
        network,
        settings["classes"],
        settings["data"],
        overwrite=True,
        pipeline=settings["pipeline"],
        about=told,
    )


def main(argv: list[str] | None = None) -> None:
    """Packages the named networks, or by default all that are described."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(argv)
    described = json.loads(files("ccnn_geo.experiments").joinpath("models/about.json").read_text())
    for name in options.names or described:
        print(package(options.runs / name, name, described[name]))


if __name__ == "__main__":
    main()
