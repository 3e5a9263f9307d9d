"""What a folder of a user's own files holds, and what a training on it would stumble over."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccnn_geo.datasets.base.class_folders import SPLITS, split_folders
from ccnn_geo.datasets.base.find_layout import find_layout
from ccnn_geo.datasets.checks.advice import Found, advise
from ccnn_geo.datasets.checks.find_kind import find_kind
from ccnn_geo.datasets.checks.kinds import KINDS, Checked, Seen
from ccnn_geo.datasets.checks.summary import summarise
from ccnn_geo.datasets.scenes.lidar_files import list_scans
from ccnn_geo.io.files.grouped_errors import group_errors
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.sample_files import cannot_open

MOST_CLASSES = 40
"""Classes that have a row of their own."""


@dataclass
class Report:
    """What was found.

    Args:
        title: The kind of files, and how they are sorted.
        counts: Rows of a table: a head, and files by class and split.
        properties: Rows of name and text.
        notes: What was left out, and what else is worth a line.
        problems: What a training would stumble over; nothing if it would run.
        command: That trains on them.
    """

    title: str
    counts: list[tuple[str, ...]] = field(default_factory=list)
    properties: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    command: str = ""


def check_folder(root: Path, kind: str | None = None, options: Mapping[str, Any] | None = None) -> Report:
    """Reads all files of a folder and says what is in them; writes nothing.

    Args:
        root: The folder of the data.
        kind: A key of :data:`~ccnn_geo.datasets.checks.kinds.KINDS`; by default what the extensions say.
        options: Arguments of the data set, as ``data.dataset_args`` of a training.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the kind cannot be told, or is none.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        kind = find_kind(root) if kind is None else kind
        checked, options = KINDS[kind], dict(options or {})
        report = Report(f"{kind} in {root}")
        try:
            parts, classes = _parts(root, checked, report)
        except (ValueError, FileNotFoundError) as error:
            report.problems.append(str(error))
        else:
            found = _look(root, checked, parts, options, report)
            advice = advise(root, kind, checked, found, classes, options)
            report.problems += advice.problems
            report.notes += advice.notes
            report.command = advice.command
    report.notes = [*dict.fromkeys(str(w.message).removeprefix(f"{root}: ") for w in said), *report.notes]
    return report


def _parts(root: Path, checked: Checked, report: Report) -> tuple[dict[str, list[Path]], list[str]]:
    """Files of each split, and the classes of files that have one."""
    if not checked.labelled:
        splits = split_folders(root)
        parts = {split: list_scans(root, split) for split in splits}
        report.title += ", <split>/**"
        report.counts = [("split", "files"), *((split, f"{len(paths):,}") for split, paths in parts.items())]
        return parts, []
    layout = find_layout(root, checked.files)
    report.title += f", {layout.told}"
    parts, classes = {}, []
    counts: dict[str, Counter[str]] = {}
    for split in layout.splits:
        part = layout.part(split)
        parts[split], classes = [path for path, _ in part.samples], part.classes
        counts[split] = Counter(part.classes[label] for _, label in part.samples)
    if not parts:
        layout.part("train")  # which says what is missing
    report.counts = [("class", *counts)]
    report.counts += [
        (name, *(f"{count[name]:,}" for count in counts.values())) for name in classes[:MOST_CLASSES]
    ]
    if len(classes) > MOST_CLASSES:
        report.counts.append((f"and {len(classes) - MOST_CLASSES} more", *("" for _ in counts)))
    report.counts.append((f"{len(classes)} classes", *(f"{count.total():,}" for count in counts.values())))
    return parts, classes


def _look(
    root: Path,
    checked: Checked,
    parts: Mapping[str, Sequence[Path]],
    options: Mapping[str, Any],
    report: Report,
) -> Found:
    """What is seen in the files of each split; what is wrong with others becomes a problem."""
    given = {name: value for name, value in options.items() if name in checked.options}
    found: dict[str, list[tuple[str, Seen]]] = {split: [] for split in SPLITS if split in parts}
    errors = []
    places = [(split, path) for split in found for path in parts[split]]
    for split, path in progress(places, title="check"):
        name = path.relative_to(root).as_posix()
        try:
            found[split].append((name, checked.look(path, **given)))
        except ImportError:
            raise
        except OSError as error:
            errors.append(cannot_open(path, error))
        except ValueError as error:
            errors.append(str(error))
    report.problems += group_errors([error.replace(f"{root}/", "") for error in errors])
    report.properties = summarise([seen for part in found.values() for _, seen in part])
    return found
