"""The command ``ccnn-geo predict MODEL PATH...``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccnn_geo.cli.inputs import expand
from ccnn_geo.cli.terminal import Failure, OneLineParser, complain, reason

if TYPE_CHECKING:
    from ccnn_geo.export.predictor import Predictor
    from ccnn_geo.export.records import Record


def main(arguments: list[str]) -> None:
    """Predicts for files, and continues after a bad one."""
    options = _parser().parse_args(arguments)

    from ccnn_geo.export.loading import load

    model = load(options.model, options.device)
    out = None if options.out is None else Path(options.out).expanduser()
    if out is not None and _may_be_asked(model):
        _check_apart(options.paths, out)
    asked_for = expand(options.paths, model.pipeline.files, out)
    files = [sample for path in asked_for for sample in _samples(model, path)]
    if (options.rotations, options.subsets) != (1, 1):
        model = model.voting(options.rotations, options.subsets)
    if options.up is not None:
        model = model.upright(*options.up)
    if out is not None:
        _write(model, files, out, options)
        return
    asked = "json" if options.json else "csv" if options.csv else None
    if asked is None:
        _print_rows(model, files, options.batch_size)
        return
    from ccnn_geo.export.records import as_csv

    found = list(_records(model, _shown(files), options.batch_size))
    good = [one for one in found if "error" not in one]
    if options.json:
        print(json.dumps(good, indent=2, allow_nan=False))
    elif good:
        sys.stdout.write(as_csv(good))
    _tell_bad(found, len(files))


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="ccnn-geo predict",
        description="Predicts for files of the kind that a network was trained on: meshes (.off .obj .ply .stl .glb) "
        "and clouds (.npy .npz .xyz .pcd .ply), voxel grids (.npy .npz), images, recordings, series (.csv), scans "
        "(.bin .npy .las .laz .ply .pcd), molecules (.npz .parquet).",
    )
    parser.add_argument(
        "model",
        help="A network that comes with the package (ccnn-geo models), a checkpoint of train, a run for its best "
        "checkpoint (runs/NAME is the newest run), a folder of export, or user/name on the Hugging Face hub.",
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="Files, folders, patterns such as 'scans/**/*.off', or - for a path per line of standard input. A bad "
        "file does not stop the others.",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="Print one JSON array.")
    form.add_argument("--csv", action="store_true", help="Print a CSV table with a header.")
    form.add_argument(
        "--out",
        metavar="FOLDER",
        help="Write predictions.csv and predictions.json there, and predictions per point as scans, meshes, tables, "
        "label images or arrays. The same call continues interrupted work. Processes that torchrun or SLURM start "
        "share it.",
    )
    votes = "For {}: {} that vote; 1 by default."
    turns, choices = (
        votes.format("scans", "turns about the vertical axis"),
        votes.format("scans and shapes", "choices of points"),
    )
    parser.add_argument("--rotations", type=_positive, default=1, help=turns)
    parser.add_argument("--subsets", type=_positive, default=1, help=choices)
    parser.add_argument(
        "--up",
        type=_axes,
        metavar="AXIS",
        help="For shapes: the axis that points up in the files, x, y or z, if the training had a different one; z:y "
        "also names the axis of the training. Predictions stay in the frame of the file.",
    )
    parser.add_argument("--batch-size", type=_positive, default=32, help="Samples per batch; 32 by default.")
    parser.add_argument("--device", default="cpu", help="Device, such as cuda; cpu by default.")
    return parser


def _may_be_asked(model: Predictor) -> bool:
    """Whether the files of predictions could be mistaken for input files."""
    return model.network.readout == "node" or ".csv" in model.pipeline.files.extensions


def _check_apart(paths: list[str], out: Path) -> None:
    """Refuses predictions among the input files, where the next call would read them."""
    for path in paths:
        if Path(path).is_dir() and Path(path).resolve() == out.resolve():
            raise ValueError(
                f"--out {out}: predictions would lie among the input files, expected another folder, "
                f"such as {out / 'answers'}"
            )


def _samples(model: Predictor, path: str) -> list[str]:
    """The samples of a path; the path itself if it cannot be read, which its reader will report."""
    try:
        return model.pipeline.samples_of(path)
    except (OSError, ValueError):
        return [path]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text}")
    return number


def _axes(text: str) -> list[str]:
    axes = text.split(":")
    if len(axes) > 2 or not set(axes) <= {"x", "y", "z"}:
        raise argparse.ArgumentTypeError(
            f"expected x, y or z, or two axes such as z:y, the second that of the training, got {text!r}"
        )
    return axes


def _records(model: Predictor, files: Any, batch_size: int) -> Iterator[Record]:
    """A prediction or an error for each file; reports errors at once."""
    from ccnn_geo.export.records import record
    from ccnn_geo.export.streaming import stream_answers

    for file, answer in stream_answers(model, files, model.answering.at_once(batch_size)):
        yield _bad(model, file, answer) if isinstance(answer, Exception) else record(file, answer)


def _print_rows(model: Predictor, files: list[str], batch_size: int) -> None:
    """Prints a readable table, each row as soon as its prediction is there."""
    from ccnn_geo.export.records import summary
    from ccnn_geo.io.files.sample_files import printable

    shown = {file: printable(file) for file in files}
    width = max(len("file"), *map(len, shown.values()))
    is_class = model.network.readout == "global" and bool(model.classes)
    names = max(len("class"), *(len(printable(c)) for c in model.classes)) if is_class else len("prediction")
    head = ("class", "probability") if is_class else ("prediction", "")
    found, is_first = [], True
    for one in _records(model, files, batch_size):
        found.append(one)
        if "error" in one:
            continue
        if is_first:
            print(f"{'file':<{width}}  {head[0]:<{names}}  {head[1]}".rstrip())
            is_first = False
        said, number = summary(one)
        print(f"{shown[one['file']]:<{width}}  {printable(said):<{names}}  {number}".rstrip(), flush=True)
    _tell_bad(found, len(files))


def _write(model: Predictor, files: list[str], folder: Path, options: argparse.Namespace) -> None:
    """Writes predictions into a folder, shared with other processes."""
    from ccnn_geo.export.parts import TABLE, Parts, digest_of
    from ccnn_geo.io.files.parts import process_of

    started = time.monotonic()
    where = _places(model, files, folder)

    def is_there(file: str) -> bool:
        return file not in where or all(path.is_file() for path in model.answering.answer_files(where[file]))

    parts = Parts(folder, digest_of(model), files, *process_of(), is_there)
    own, asked = len(parts.own), len(parts.rest)
    records, found = _written(model, parts.rest, where, options), list[Any]()
    size = model.answering.at_once(options.batch_size)
    while some := list(islice(records, size)):
        parts.add(some)
        found += some
    done = parts.finish()
    seconds = time.monotonic() - started
    answered = own - sum("error" in one for one in found)
    before = f", {own - asked} of them earlier" if asked < own else ""
    place = folder / TABLE if done else f"{parts.path}, other processes are at work"
    print(f"{answered} of {len(parts.files)} files in {seconds:.1f} s{before}: {place}")
    _tell_bad(found, own)


def _places(model: Predictor, files: list[str], folder: Path) -> dict[str, Path]:
    """Paths of predictions per point; none for a network with one prediction per sample."""
    from ccnn_geo.export.parts import TABLE, WHOLE
    from ccnn_geo.export.places import places

    if model.network.readout != "node":
        return {}
    return places(files, folder, model.answering.answer_files, (TABLE, WHOLE))


def _written(
    model: Predictor, rest: list[str], where: dict[str, Path], options: argparse.Namespace
) -> Iterator[Record]:
    """A record for each file, after its predictions per point are written."""
    from ccnn_geo.export.records import record

    for file, found in model.answering.written(_shown(rest), where, options.batch_size):
        yield _bad(model, file, found) if isinstance(found, Exception) else record(file, found)


def _bad(model: Predictor, file: str, error: Exception) -> Record:
    """Reports an error at once, and keeps it."""
    why = reason(error)
    if Path(file).is_dir():  # a folder with files stands for them
        kind = model.pipeline.files
        why = f"{file}: no {kind.name} in this folder, expected {' '.join(kind.all_extensions)}"
    why = why if why.startswith(str(Path(file))) else f"{file}: {why}"
    complain(why)
    return {"file": file, "error": why}


def _shown(files: list[str]) -> Any:
    """The files, with a progress bar on a terminal."""
    from ccnn_geo.io.files.progress import progress

    return progress(files, title="predict")


def _tell_bad(found: list[Any], asked: int) -> None:
    """Names the files without a prediction, among all files of this and earlier calls."""
    bad = [one["file"] for one in found if "error" in one]
    if bad:
        complain(f"no prediction for {len(bad)} of {asked} files: {', '.join(bad)}")
        raise Failure
