"""The command ``ccnn-geo predict CHECKPOINT FILE...``."""

from __future__ import annotations

import json
from pathlib import Path

from ccnn_geo.cli.terminal import Failure, OneLineParser, complain, reason


def main(arguments: list[str]) -> None:
    """Classifies files, and goes on after one that cannot be."""
    parser = OneLineParser(
        prog="ccnn-geo predict",
        description="Classifies meshes (.off .obj .ply .stl .glb) and clouds (.npy .npz .xyz .pcd .ply).",
    )
    parser.add_argument(
        "checkpoint", help="A checkpoint of train, or the run, for its best one; runs/NAME is the newest run."
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="Each is told apart; a bad one stops no other."
    )
    parser.add_argument("--json", action="store_true", help="One JSON array on standard output.")
    parser.add_argument("--device", default="cpu", help="Such as cuda; cpu by default.")
    options = parser.parse_args(arguments)

    from ccnn_geo.export.predictor import ShapeClassifier
    from ccnn_geo.io.files.sample_files import printable

    classifier = ShapeClassifier.load(options.checkpoint, options.device)
    results, bad = [], []
    width = max(len("file"), *(len(f) for f in options.files))
    names = max(len("class"), *(len(c) for c in classifier.classes))
    if not options.json:
        print(f"{'file':<{width}}  {'class':<{names}}  probability")
    for file in options.files:
        try:
            found = classifier(file)
        except Exception as error:  # a bad file must not stop the others
            why = reason(error)
            complain(why if why.startswith(str(Path(file))) else f"{file}: {why}")
            bad.append(file)
            continue
        results.append(
            {"file": file, "class": found.label, "probability": found.probability}
            | {"probabilities": found.probabilities}
        )
        if not options.json:
            print(f"{printable(file):<{width}}  {found.label:<{names}}  {found.probability:.3f}", flush=True)
    if options.json:
        print(json.dumps(results, indent=2, allow_nan=False))
    if bad:
        complain(f"{len(bad)} of {len(options.files)} files could not be classified: {', '.join(bad)}")
        raise Failure
