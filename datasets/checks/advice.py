"""Conclusions about a folder: whether a training would run, and the command that starts it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccnn_geo.datasets.base.class_folders import SPLITS
from ccnn_geo.datasets.checks.kinds import GRID, IN_MASKS, KINDS, POINT_LABELS, SURFACE, Seen
from ccnn_geo.datasets.checks.split_lists import told_lists
from ccnn_geo.datasets.clouds.cloud_tables import TableClouds, find_tables
from ccnn_geo.datasets.images.mask_classes import IGNORED, mask_classes
from ccnn_geo.io.files.left_out import list_names

Found = Mapping[str, Sequence[tuple[str, Seen]]]
"""Names and properties of the files of each split."""

RATE, LENGTH = 16000, 16000
"""Rate and length of recordings in the packaged configuration."""

VOXELS = "voxels/ccnn_4_32"
"""The packaged configuration for voxel grids, which takes meshes and clouds too."""

FIELDS = "fields/ccnn_4_32"
"""The packaged configuration for clouds with targets of points."""

FEATURE = "intensity"
"""The measurement of points that the packaged configuration for scenes reads."""


@dataclass
class Advice:
    """Conclusions about a folder.

    Args:
        problems: Reasons why a training would fail.
        notes: Facts that do not stop a training but may matter to the user.
        options: Options of the data set for the command.
        config: Configuration for the command, if not that of the kind.
        command: Command that trains.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    config: str = ""
    command: str = ""


def advise(
    root: Path, kind: str, task: str, found: Found, classes: Sequence[str], options: Mapping[str, Any]
) -> Advice:
    """Draws conclusions from the files of a folder.

    Args:
        root: The folder.
        kind: Kind of its files.
        task: The task that their labels or targets set.
        found: Properties of the files of each split.
        classes: Classes of the files, if they have any.
        options: Options given by the user.
    """
    advice = Advice(options=dict(options))
    if "train" not in found:
        advice.problems.append(
            f"no split train, found {', '.join(found) or 'none'}; expected one to learn from"
        )
    if task == "classification" and len(classes) < 2:
        advice.problems.append(
            f"one class, {classes[0]!r}, expected two or more" if classes else "no classes"
        )
    for split in SPLITS[1:]:
        if split not in found:
            instead = (
                "a tenth of train validates" if split == "validation" else "ccnn-geo test will have no data"
            )
            advice.notes.append(f"no split {split}: {instead}")
    if "train" in found and (more := _OF_KIND.get(kind)):
        more(found, advice)
    if kind == "clouds" and "train" in found:
        _tables(root, advice)
        advice.config = FIELDS if advice.options.get("point_targets") else ""
    if kind == "recordings" and task == "classification":
        advice.notes += told_lists(root, classes)
    if kind == "images" and task == "segmentation":
        _masks(root, found, advice)
    given = [f"--data.dataset_args.{name} {_written(value)}" for name, value in advice.options.items()]
    config = advice.config or KINDS[kind].configs[task]
    advice.command = " ".join(
        ["ccnn-geo train --config", config, "--data.root", shlex.quote(str(root)), *given]
    )
    return advice


def _written(value: Any) -> str:
    """Writes a value as the command line takes it."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return shlex.quote("{" + ", ".join(f"{key}: {name}" for key, name in value.items()) + "}")
    if isinstance(value, (list, tuple)):
        return shlex.quote("[" + ",".join(map(str, value)) + "]")
    return shlex.quote(str(value))


def _masks(root: Path, found: Found, advice: Advice) -> None:
    """Checks that the numbers in masks are classes."""
    given, ignored = advice.options.get("classes"), advice.options.get("ignored", IGNORED)
    trained = {number for _, one in found.get("train", ()) for number in one[IN_MASKS]}
    for part in found.values() if trained else ():
        numbers = {number for _, one in part for number in one[IN_MASKS]}

        def first_with(some: Sequence[int], part: Sequence[tuple[str, Seen]] = part) -> str:
            return next(name for name, one in part if any(number in one[IN_MASKS] for number in some))

        try:
            mask_classes(root, given, ignored, trained, numbers, first_with)
        except ValueError as error:
            advice.problems.append(str(error))
            return
    if trained and not trained - {ignored}:  # without names of classes this is already reported
        advice.problems.append("labels: none in the training set, expected some")


def _shapes(found: Found, advice: Advice) -> None:
    """Chooses the configuration for voxel grids, or mentions it if grids are the minority."""
    seen = [one for _, one in found["train"]]
    grids = sum(one[SURFACE] == GRID for one in seen)
    if grids and 2 * grids >= len(seen):
        advice.config = VOXELS
    elif grids:
        advice.notes.append(
            f"{grids} of {len(seen)} files of train are voxel grids; --config {VOXELS} is made for these, and takes "
            "meshes and clouds too"
        )


def _recordings(found: Found, advice: Advice) -> None:
    """Chooses the most common rate, and a length that hardly any recording exceeds."""
    seen = [one for part in found.values() for _, one in part]
    if not seen:
        return
    rate = int(Counter(one["samples per second"] for one in seen).most_common(1)[0][0])
    if rate != RATE:
        advice.options.setdefault("rate", rate)
    rate = int(advice.options.get("rate", RATE))
    seconds = sorted(one["seconds"] for one in seen)
    needed = -(-round(seconds[int(0.99 * (len(seconds) - 1))] * rate) // 1000) * 1000
    if needed != LENGTH:
        advice.options.setdefault("length", needed)
    length = int(advice.options.get("length", LENGTH))
    cut = sum(one > length / rate for one in seconds)
    if cut:
        advice.notes.append(
            f"{cut} of {len(seen)} recordings are longer than {length / rate:g} s: their ends are cut off"
        )


def _series(found: Found, advice: Advice) -> None:
    """Checks that all splits have the variables and the kind of times of the training files."""
    if not found["train"]:
        return
    known = {name for _, one in found["train"] for name in one["variables"]}
    first, kind = found["train"][0][0], found["train"][0][1]["time is"]
    for part in found.values():
        others = [name for name, one in part if one["time is"] != kind]
        if others:
            advice.problems.append(
                f"times of {list_names(others)} are not {kind}, unlike those of {first}; expected one kind in all"
            )
        new = sorted({name for _, one in part for name in one["variables"]} - known)
        if new:
            advice.problems.append(
                f"variables {list_names(new)} are in no file of train, expected them there too"
            )


def _scenes(found: Found, advice: Advice) -> None:
    """Makes labels classes, and chooses features that all scans have."""
    seen = [one for _, one in found["train"]]
    labels = Counter[int]()
    for one in seen:
        labels.update(one.get(POINT_LABELS, {}))
    codes = sorted(code for code in labels if code >= 0)
    if len(codes) < 2 and seen:
        advice.problems.append(
            f"labels of points: {', '.join(map(str, codes)) or 'none'}, expected two or more in train; the option "
            f"'label' names their column"
        )
    advice.options.setdefault("classes", codes)
    lacking = sum(FEATURE not in one["features"] for one in seen)
    if lacking and "features" not in advice.options:
        shared = set.intersection(*(set(one["features"]) for one in seen))
        advice.options["features"] = sorted(shared) or ["constant"]
        advice.notes.append(f"{lacking} files of train have no {FEATURE}: the command takes other features")


def _tables(root: Path, advice: Advice) -> None:
    """Asks for targets in tables of points."""
    if not find_tables(root) or advice.options.get("targets") or advice.options.get("point_targets"):
        return
    table, _ = TableClouds(root).samples("train")
    whole = [name for name in table.fields if table.may_be_target(name)]
    there = f"({list_names(whole)}: --option 'targets=[{whole[0]}]')" if whole else "(none here)"
    advice.problems.append(
        f"no targets: the option 'targets' names columns with one value in each sample {there}, 'point_targets' those "
        f"with one for each point, some of {list_names(list(table.fields))}"
    )


_OF_KIND = {"shapes": _shapes, "recordings": _recordings, "series": _series, "scenes": _scenes}
