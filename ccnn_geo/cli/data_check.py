"""The command ``ccnn-geo data check ROOT``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ccnn_geo.cli.terminal import Failure, complain, print_table


def check(root: str, kind: str | None, options: Mapping[str, Any]) -> None:
    """Prints the contents of a folder and the command that trains on it.

    Args:
        root: The folder.
        kind: The kind of its files; None if their extensions decide.
        options: Arguments of the data set.

    Raises:
        Failure: If a training on it would fail; prints all reasons.
        FileNotFoundError: If there is no such folder.
        ValueError: If the kind of the files is unclear.
    """
    from ccnn_geo.datasets.checks.report import check_folder
    from ccnn_geo.io.files.left_out import told_number

    report = check_folder(Path(root).expanduser(), kind, options)
    print(report.title)
    for rows in (report.counts, report.properties):
        if rows:
            print()
            print_table(rows)
    if report.notes:
        print()
    for note in report.notes:
        print(f"note: {note}")
    if report.problems:
        for problem in report.problems:
            complain(problem)
        complain(f"a training on {root} would fail: {told_number(len(report.problems), 'problem')}")
        raise Failure
    print(f"\n{report.command}")
