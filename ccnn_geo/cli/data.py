"""The command ``ccnn-geo data list | info NAME | check ROOT | prepare NAME``."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccnn_geo._base.extras import needs
from ccnn_geo.cli.terminal import OneLineParser, add_command, print_table

if TYPE_CHECKING:
    from ccnn_geo.datasets.base.info import DatasetInfo

OWN_KINDS = ("shapes", "parts", "images", "recordings", "series", "scenes", "clouds")
"""Kinds of a user's own files, as in :data:`ccnn_geo.datasets.checks.kinds.KINDS`."""

MADE = ("generate", "file")
"""Options of data sets that make their samples, or read them from a single file."""

HEAD = ("name", "family", "classes", "samples", "size", "disk")


def main(arguments: list[str]) -> None:
    """Runs one of the actions."""
    parser = OneLineParser(
        prog="ccnn-geo data", description="Lists, describes, checks and prepares data sets."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | info | check | prepare")
    add_command(actions, "list", "Lists all data sets.")
    about = add_command(actions, "info", "Shows files and digests, and where to place them offline.")
    look = add_command(
        actions, "check", "Shows what a folder of your own holds, and whether a training would accept it."
    )
    look.add_argument("root", help="The folder of your files.")
    look.add_argument(
        "--kind", choices=OWN_KINDS, help="Kind of the files; by default their extensions decide."
    )
    ready = add_command(
        actions,
        "prepare",
        "Downloads and prepares a data set. It keeps what is already there, so an interrupted call can be repeated. "
        "Processes that torchrun or SLURM start share the files.",
    )
    for action in (about, ready):
        action.add_argument("name", help="A name of ccnn-geo data list.")
    ready.add_argument(
        "--root", default="data", help="Folder for the data set, or where its files are; data by default."
    )
    ready.add_argument(
        "--split", nargs="+", help="Splits to prepare; names such as val mean validation; all by default."
    )
    ready.add_argument("--offline", action="store_true", help="Use the files that are there, fetch nothing.")
    for action, example in ((look, "time=Zeit"), (ready, "generate=true")):
        action.add_argument(
            "--option",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help=f"An argument of the data set, e.g. {example}.",
        )
    options = parser.parse_args(arguments)

    if options.action == "list":
        print_table(list_rows())
    elif options.action == "info":
        print_table(info_rows(options.name))
    elif options.action == "check":
        from ccnn_geo.cli.data_check import check

        check(options.root, options.kind, parse_options(options.option))
    else:
        given = parse_options(options.option)
        from ccnn_geo.io.files.parts import process_of

        lines = prepare(options.name, options.root, options.split, not options.offline, given)
        is_first = process_of()[0] == 0
        for line in lines:
            if is_first:  # the others would print the same
                print(line, flush=True)


def list_rows() -> list[tuple[str, ...]]:
    """A row :data:`HEAD`, then one per data set."""
    from ccnn_geo.datasets.registry import PLACES, dataset_class

    return [HEAD, *(_row(dataset_class(name).info) for name in PLACES)]


def info_rows(name: str) -> list[tuple[str, str]]:
    """Facts about a data set, as rows of name and value.

    Raises:
        ValueError: For an unknown name.
    """
    from ccnn_geo.datasets.registry import dataset_class
    from ccnn_geo.training.data.sources import OWN, keywords

    cls = dataset_class(name)
    info = cls.info
    rows = [("name", info.name), ("title", info.title), ("family", info.family)]
    rows.append(("sample", _shape(info)))
    rows.append(("classes", str(info.classes) if info.classes else "of your files"))
    rows += [(split, f"{count:,} samples") for split, count in info.counts.items()]
    if not info.counts:
        rows.append(("samples", "your files"))
    for file in info.files:
        rows.append(("file", f"{Path('ROOT') / info.folder / file.path}, {size_text(file.size)}"))
        rows.append(("", file.url))
        rows.append(("", file.checksum or "no known digest"))
    if info.files:
        rows.append(("offline", "place these files as listed, then prepare"))
    rows.append(("disk", _disk(info)))
    rows.append(("source", info.source or "yours"))
    rows.append(("dataset_args", ", ".join(sorted(keywords(cls) - OWN)) or "none"))
    return rows


def splits_of(dataset: type[Any], root: Path, options: Mapping[str, Any]) -> list[str]:
    """Splits of a data set; for a user's own files, those found."""
    from ccnn_geo.training.data import sources

    counts: Mapping[str, int] = dataset.info.counts
    if counts:
        return list(counts)
    return (sources.splits_of(dataset, str(root), options) if root.is_dir() else []) or ["train"]


def check_space(info: DatasetInfo, root: Path, download: bool = True) -> str:
    """Compares the space that a data set still needs with the free space; returns one line.

    Raises:
        OSError: If it does not fit.
    """
    places = (root / info.folder, root)
    missing = [file for file in info.files if not any((place / file.path).exists() for place in places)]
    fetched = sum(file.size for file in missing) if download else 0
    total = fetched + info.prepared
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    text = f"{size_text(fetched)} to download at most, {size_text(total)} on disk"
    if total > free:
        raise OSError(f"{info.name}: {text}, but only {size_text(free)} free at {existing}")
    return f"{info.name}: {text}, {size_text(free)} free at {existing}"


def prepare(
    name: str,
    root: str,
    splits: Sequence[str] | None = None,
    download: bool = True,
    options: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """Downloads a data set and prepares its splits; yields a line after each step.

    Processes started by ``torchrun`` or SLURM share the files of a data set that has many. The first process prepares
    any other data set.

    Args:
        name: Name of the data set.
        root: Folder for the data set, or where its files are.
        splits: The splits, by any of the names that their folders may have; all by default.
        download: Fetch missing files.
        options: Further arguments of the data set, as in ``data.dataset_args`` of a training.

    Raises:
        ValueError: For an unknown name, split or option, or damaged files.
        ConnectionError: If a file cannot be fetched; the message says which file to place where.
        FileNotFoundError: If files are missing and ``download`` is False.
        OSError: If there is not enough space.
    """
    from ccnn_geo.datasets.base.class_folders import split_name
    from ccnn_geo.datasets.registry import dataset_class
    from ccnn_geo.io.files.left_out import told_number
    from ccnn_geo.io.files.parts import process_of
    from ccnn_geo.training.data.sources import check_keywords, keywords

    cls, folder, options = dataset_class(name), Path(root).expanduser(), dict(options or {})
    check_keywords(cls, options, {"download", "transform"})
    if options.get("generate"):
        download = False
    rank, size = process_of()
    if rank and not (cls.info.many_files and options.keys().isdisjoint(MADE)):
        yield f"{name}: no files to share, process 0 prepares it; process {rank} of 0 to {size - 1} exits"
        return
    yield check_space(cls.info, folder, download)
    known = splits_of(cls, folder, options)
    asked = {split: split if split in known else split_name(split) for split in splits or known}
    wrong = [given for given, split in asked.items() if split not in known]
    if wrong:
        raise ValueError(f"{name}: expected some of the splits {', '.join(known)}, got {', '.join(wrong)}")
    if "download" in keywords(cls):
        options["download"] = download
    for split in dict.fromkeys(asked.values()):
        begin = time.perf_counter()
        samples = cls(folder, split, **options)
        seconds = time.perf_counter() - begin
        targets = getattr(samples, "target_names", ())
        classes = told_number(samples.num_classes, "class", "classes")
        truths = f"targets {', '.join(targets)}" if targets else classes
        yield f"{split}: {told_number(len(samples), 'sample')}, {truths}, {seconds:.1f} s"
    yield f"ready for ccnn-geo train --data.dataset {name} --data.root {root}"


def parse_options(given: Sequence[str]) -> dict[str, Any]:
    """Parses ``NAME=VALUE`` pairs, with values as in YAML.

    Raises:
        ImportError: If there are any, and the extra ``data`` is not installed.
        ValueError: If one has another form.
    """
    if not given:
        return {}
    with needs("data", "--option"):
        import yaml

    options = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"--option: expected NAME=VALUE, got {text!r}")
        try:
            options[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"--option {name}: {value!r} is not a value ({error})") from error
    return options


def size_text(size: int) -> str:
    """A size in a readable unit: ``12 MB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            value = size / factor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{size} B"


def _row(info: DatasetInfo) -> tuple[str, ...]:
    samples = f"{sum(info.counts.values()):,}" if info.counts else "yours"
    return info.name, info.family, str(info.classes or "yours"), samples, _shape(info), _disk(info)


def _shape(info: DatasetInfo) -> str:
    channels = "?" if info.in_channels is None else str(info.in_channels)
    size = "varies" if info.size is None else " x ".join(map(str, info.size))
    return f"[{channels}] {size}"


def _disk(info: DatasetInfo) -> str:
    parts = [size_text(sum(file.size for file in info.files))] if info.files else []
    parts += [f"{size_text(info.prepared)} prepared"] if info.prepared else []
    return " + ".join(parts) or "no download"
