"""Reports on a folder of a user's own files, and on what would stop a training on it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccnn_geo.datasets.base.class_folders import SPLITS, split_folders
from ccnn_geo.datasets.base.find_layout import find_layout
from ccnn_geo.datasets.base.layouts import Part
from ccnn_geo.datasets.base.target_files import has_targets
from ccnn_geo.datasets.checks.advice import Found, advise
from ccnn_geo.datasets.checks.find_kind import find_kind
from ccnn_geo.datasets.checks.kinds import KINDS, Checked, Seen
from ccnn_geo.datasets.checks.label_columns import label_hint
from ccnn_geo.datasets.checks.summary import summarise
from ccnn_geo.datasets.checks.truths import check_truths
from ccnn_geo.datasets.clouds.cloud_tables import TableClouds
from ccnn_geo.datasets.images.image_files import masks_of
from ccnn_geo.datasets.registry import dataset_class
from ccnn_geo.datasets.scenes.lidar_files import SCANS, list_scans
from ccnn_geo.datasets.series.time_labels import check_label_column
from ccnn_geo.io.files.grouped_errors import group_errors
from ccnn_geo.io.files.left_out import told_number
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.sample_files import cannot_open

MOST_CLASSES = 40
"""Most classes with a row each."""


@dataclass
class Report:
    """The report on a folder.

    Args:
        title: The kind of files, and how they are sorted.
        counts: Rows of a table: a head, and files by class and split.
        properties: Rows of name and text.
        notes: Files that are left out, and other remarks.
        problems: Reasons why a training would fail; empty if it would run.
        command: Command that trains on the files.
        noun: Word for a sample; tables hold many in a file.
    """

    title: str
    counts: list[tuple[str, ...]] = field(default_factory=list)
    properties: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    command: str = ""
    noun: str = "file"


def check_folder(root: Path, kind: str | None = None, options: Mapping[str, Any] | None = None) -> Report:
    """Reads all files of a folder and reports on them; writes nothing.

    Args:
        root: The folder of the data.
        kind: A key of :data:`~ccnn_geo.datasets.checks.kinds.KINDS`; by default chosen by the extensions.
        options: Arguments of the data set, as ``data.dataset_args`` of a training.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the kind is unknown, or cannot be found out.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        options = dict(options or {})
        kind = _kind(root, options) if kind is None else kind
        checked = KINDS[kind]
        report = Report(f"{kind} in {root}")
        try:
            task = _task(root, checked, options)
            parts, classes = _parts(root, checked, options, report)
            arguments = _arguments(root, kind, task, parts)
            if kind == "series" and options.get("label"):
                check_label_column(root, (path for part in parts.values() for path in part.paths), options)
        except (ValueError, FileNotFoundError) as error:
            can_have_labels = kind == "series" and not options.get("label") and not has_targets(root)
            hint = label_hint(root, checked.files.all_extensions, options) if can_have_labels else ""
            hint = _scene_hint(root) if kind == "shapes" else hint
            report.problems.append(f"{error}{hint}")
        else:
            found = _look(root, checked, parts, arguments, options, report)
            advice = advise(root, kind, task, found, classes, options)
            problems, notes = check_truths(kind, task, found, parts, options)
            report.problems += [*advice.problems, *problems]
            report.notes += [*advice.notes, *notes]
            report.command = advice.command
    report.notes = [*dict.fromkeys(str(w.message).removeprefix(f"{root}: ") for w in said), *report.notes]
    return report


def _kind(root: Path, options: Mapping[str, Any]) -> str:
    """The kind of the files; shapes and scans with targets of points are clouds."""
    kind = find_kind(root)
    return "clouds" if kind in ("shapes", "scenes") and "point_targets" in options else kind


def _scene_hint(root: Path) -> str:
    """Returns a hint if folders of splits hold files that may be scans."""
    folders = split_folders(root).values() if root.is_dir() else ()
    known = SCANS.all_extensions
    if not any(path.suffix.lower() in known for folder in folders for path in folder.iterdir()):
        return ""
    return "; scans, whose points have a class each, are checked by --kind scenes"


def _task(root: Path, checked: Checked, options: Mapping[str, Any]) -> str:
    """The task that the labels or targets of the files set."""
    if not checked.labelled:
        return "segmentation"
    truths = getattr(dataset_class(checked.dataset), "truths", None)
    return "classification" if truths is None else truths(root, options)[0]


def _arguments(root: Path, kind: str, task: str, parts: Mapping[str, Part]) -> dict[Path, dict[str, Any]]:
    """Further arguments for a look: the mask of an image, and the category of a shape with parts."""
    if kind == "parts":
        several = [part for part in parts.values() if len(part.classes) > 1]
        return {path: {"category": part.classes[i]} for part in several for path, i in part.samples}
    if kind != "images" or task != "segmentation":
        return {}
    paths = [path for part in parts.values() for path in part.paths]
    return {path: {"mask": mask} for path, mask in zip(paths, masks_of(root, paths), strict=True)}


def _parts(
    root: Path, checked: Checked, options: Mapping[str, Any], report: Report
) -> tuple[dict[str, Part], list[str]]:
    """Files of each split, and their classes if files have a class each."""
    if not checked.labelled:
        report.title += ", <split>/**"
        scans = {split: [(path, 0) for path in list_scans(root, split)] for split in split_folders(root)}
        return _counted({split: Part([], found) for split, found in scans.items()}, report), []
    layout_of = getattr(dataset_class(checked.dataset), "layout", None)
    layout = find_layout(root, checked.files) if layout_of is None else layout_of(root, options)
    report.title += f", {layout.told}"
    if isinstance(layout, TableClouds):
        report.noun = "sample"
        wanted = options.get("targets")
        return _counted({split: layout.members(split, wanted) for split in layout.splits}, report), []
    parts = {split: layout.part(split) for split in layout.splits}
    if not parts:
        layout.part("train")  # reports what is missing
    classes = next(reversed(parts.values())).classes
    if not classes:
        return _counted(parts, report), []
    counts = {split: Counter(classes[label] for _, label in part.samples) for split, part in parts.items()}
    report.counts = [("class", *counts)]
    report.counts += [
        (name, *(f"{count[name]:,}" for count in counts.values())) for name in classes[:MOST_CLASSES]
    ]
    if len(classes) > MOST_CLASSES:
        report.counts.append((f"and {len(classes) - MOST_CLASSES} more", *("" for _ in counts)))
    report.counts.append(
        (told_number(len(classes), "class", "classes"), *(f"{count.total():,}" for count in counts.values()))
    )
    return parts, classes


def _counted(parts: dict[str, Part], report: Report) -> dict[str, Part]:
    """Puts the numbers of samples without a class each into the report; returns the same parts."""
    report.counts = [("split", f"{report.noun}s")]
    report.counts += [(split, f"{len(part.samples):,}") for split, part in parts.items()]
    return parts


def _look(
    root: Path,
    checked: Checked,
    parts: Mapping[str, Part],
    arguments: Mapping[Path, Mapping[str, Any]],
    options: Mapping[str, Any],
    report: Report,
) -> Found:
    """Looks at the files of each split; errors become problems."""
    given = {name: value for name, value in options.items() if name in checked.options}
    found: dict[str, list[tuple[str, Seen]]] = {split: [] for split in SPLITS if split in parts}
    errors = []
    places = [(split, i, path) for split in found for i, path in enumerate(parts[split].paths)]
    for split, i, path in progress(places, title="check"):
        name = path.relative_to(root).as_posix()
        try:
            seen = checked.look(path, **given, **arguments.get(path, {}))
            found[split].append((name, {**seen, **_targets(parts[split], i)}))
        except ImportError:
            raise
        except OSError as error:
            errors.append(cannot_open(path, error))
        except ValueError as error:
            errors.append(str(error))
    report.problems += group_errors([error.replace(f"{root}/", "") for error in errors])
    report.properties = summarise([seen for part in found.values() for _, seen in part], report.noun)
    return found


def _targets(part: Part, index: int) -> Seen:
    """Known targets of a sample, by name and unit."""
    table = part.targets
    if table is None:
        return {}
    values = dict(zip(table.heads, table.values[index].tolist(), strict=True))
    return {f"target {head}": value for head, value in values.items() if value == value}
