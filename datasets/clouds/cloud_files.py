"""Finds the clouds of a split: listed by a table of targets, all files in a folder, or samples in tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ccnn_geo.datasets.base.find_layout import Layout, unsorted_files
from ccnn_geo.datasets.base.target_files import TargetFiles, has_targets
from ccnn_geo.datasets.clouds.cloud_tables import TableClouds, find_tables, refuse_misplaced
from ccnn_geo.io.cloud_file import EXTENSIONS
from ccnn_geo.io.files.sample_files import FileKind

CLOUDS = FileKind("clouds", EXTENSIONS, companions=(".csv",), deep=True)


def cloud_layout(root: Path, targets: Sequence[str] | None, per_point: bool) -> Layout | TableClouds:
    """Finds out how clouds are sorted.

    Args:
        root: The folder.
        targets: Names of columns of the table; None for all of them.
        per_point: Whether the targets are in the files, and no table is needed.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If there are no files, or tables of points lie in folders.
    """
    if find_tables(root):
        return TableClouds(root)
    if per_point or not has_targets(root):
        refuse_misplaced(root)
    return unsorted_files(root, CLOUDS) if per_point else TargetFiles(root, CLOUDS, targets)
