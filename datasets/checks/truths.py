"""Checks whether labels, targets and samples suffice for training and validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from typing import Any

from ccnn_geo.datasets.base.layouts import Part
from ccnn_geo.datasets.checks.advice import Found
from ccnn_geo.datasets.checks.kinds import IN_MASKS, KINDS, LABELS, POINT_LABELS, Seen
from ccnn_geo.datasets.images.mask_classes import IGNORED
from ccnn_geo.io.target_table import split_unit


def check_truths(
    kind: str, task: str, found: Found, parts: Mapping[str, Part], options: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Finds what would stop a training, and what would not but may matter.

    Args:
        kind: Kind of the files.
        task: The task that their labels or targets set.
        found: Properties of the files of each split.
        parts: The files of each split.
        options: Options of the data set.

    Returns:
        Problems and notes; none if no file of train can be read.
    """
    if not found.get("train"):
        return [], []
    heads = {split: _heads(part, options) for split, part in parts.items()}
    problems = [*_labels(found), *_unknown(heads["train"], found), *_validation(kind, task, parts)]
    nothing = dict(_nothing_known(kind, task, heads, found, options))
    notes = [f"{nothing.pop('test')}; ccnn-geo test will fail"] if "test" in nothing else []
    notes += _not_measured(heads, found)
    return [*problems, *nothing.values(), *_other_targets(heads)], notes


def _labels(found: Found) -> Iterator[str]:
    """Problems with labels of times: train needs two or more, and other splits must not have new ones."""
    seen = {
        split: [(name, set(one[LABELS])) for name, one in part if LABELS in one]
        for split, part in found.items()
    }
    if not seen["train"]:
        return
    known = set().union(*(labels for _, labels in seen["train"])) - {""}
    if len(known) < 2:
        labels = f"one: {min(known)!r}" if known else "none"
        yield f"labels of times in train: expected at least two classes, found {labels}"
        return
    for part in seen.values():
        new = next(
            ((name, min(labels - known - {""})) for name, labels in part if labels - known - {""}), None
        )
        if new:
            told = ", ".join(sorted(known))
            yield f"{new[0]}: the label {new[1]!r} is not in the training files, expected one of {told}"


def _heads(part: Part, options: Mapping[str, Any]) -> list[str]:
    """Names with units of the targets of samples, or of their points."""
    return list(options.get("point_targets") or ()) if part.targets is None else part.targets.heads


def _unknown(heads: list[str], found: Found) -> Iterator[str]:
    """Targets without any value in train."""
    without = [head for head in heads if not any(f"target {head}" in one for _, one in found["train"])]
    if without:
        names = ", ".join(split_unit(head)[0] for head in without)
        yield f"targets: no value of {names} in the training set, expected some"


def _nothing_known(
    kind: str, task: str, heads: Mapping[str, list[str]], found: Found, options: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Splits other than train without labels or targets to measure predictions by, with a message for each."""
    for split, part in found.items():
        if split == "train" or not part:
            continue
        if task == "regression":
            wanted = heads[split]
            if wanted and not any(f"target {head}" in one for _, one in part for head in wanted):
                names = ", ".join(split_unit(head)[0] for head in wanted)
                yield split, f"targets: no value of {names} in the {split} set, expected some"
        elif task == "segmentation" and not any(_has_class(kind, one, options) for _, one in part):
            yield split, f"labels: none in the {split} set, expected some"


def _not_measured(heads: Mapping[str, list[str]], found: Found) -> Iterator[str]:
    """Targets without a value in a split other than train, where other targets have some."""
    for split, part in found.items():
        known = [head for head in heads[split] if any(f"target {head}" in one for _, one in part)]
        without = [split_unit(head)[0] for head in heads[split] if head not in known]
        if split != "train" and known and without:
            yield f"targets: no value of {', '.join(without)} in the {split} set, so it does not measure them"


def _has_class(kind: str, seen: Seen, options: Mapping[str, Any]) -> bool:
    """Whether a pixel, time or point of a file has a class; true for parts of shapes, since every file has some."""
    found: Mapping[str, Set[Any]] = {
        "images": set(seen.get(IN_MASKS, ())) - {options.get("ignored", IGNORED)},
        "series": set(seen.get(LABELS, ())) - {""},
        "scenes": {code for code in seen.get(POINT_LABELS, ()) if code >= 0},
    }
    return kind not in found or bool(found[kind])


def _other_targets(heads: Mapping[str, list[str]]) -> Iterator[str]:
    """Splits with other targets than train; a network predicts those of train."""
    for split, names in heads.items():
        if names != heads["train"]:
            yield (
                f"targets of {split} are {', '.join(names)}, those of train {', '.join(heads['train'])}; expected the "
                "same, in the same order and units"
            )


def _validation(kind: str, task: str, parts: Mapping[str, Part]) -> Iterator[str]:
    """Checks that train can spare samples for validation: ``stratified_split`` needs a class with two."""
    if "validation" in parts or kind == "scenes":  # a scan may be many tiles
        return
    classes = Counter(label if task == "classification" else 0 for _, label in parts["train"].samples)
    if max(classes.values()) < 2:
        yield f"data: expected a validation set of one sample or more, {KINDS[kind].dataset} has none"
