"""The findings of a check as a page of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ccnn_geo.experiments.engine.reproduction import Numbers

TITLES: Mapping[str, str] = {
    "environment": "Machine",
    "suite": "Tests that take a device",
    "parity": "The device against the CPU",
    "mixed_devices": "Tensors on two devices",
    "stale_window": "A window that has grown",
    "speed": "Points: chunks",
    "fused": "Points: fused programs",
    "peers": "Points: other layers",
    "search": "Neighbours",
    "grids": "Grids",
    "graphs": "Networks, CUDA graphs and compilers",
    "determinism": "Do results repeat?",
    "step": "A step against the CPU",
    "training": "Training the demo",
}
HIDDEN = ("section", "seconds")


def report(findings: Sequence[Numbers]) -> str:
    """The page: what failed first, then a table for each section.

    Args:
        findings: Lines of ``findings.jsonl``, in their order.
    """
    failed = [f for f in findings if f.get("ok") is False or "error" in f]
    left_out = [f for f in findings if "left_out" in f]
    checked = sum("ok" in f for f in findings)
    lines = [
        "# ccnn_geo on a GPU",
        "",
        f"{checked - sum(f.get('ok') is False for f in findings)} of {checked} checks passed, {len(failed)} findings "
        f"need a look, {len(left_out)} sections or parts were left out.",
        "",
    ]
    if failed:
        lines += ["## Needs a look", "", *(f"* {_title(f)}: {_facts(f)}" for f in failed), ""]
    for section in dict.fromkeys(f["section"] for f in findings):
        rows = [f for f in findings if f["section"] == section]
        lines += [f"## {TITLES.get(section, section)}", "", *_tables(rows), ""]
    return "\n".join(lines)


def _title(finding: Numbers) -> str:
    return TITLES.get(finding["section"], finding["section"])


def _facts(finding: Numbers) -> str:
    return ", ".join(f"{key} {_cell(value)}" for key, value in finding.items() if key not in HIDDEN)


def _tables(rows: Sequence[Numbers]) -> list[str]:
    """A table for each run of findings that have the same keys."""
    lines: list[str] = []
    keys: list[str] = []
    for row in rows:
        own = [key for key in row if key not in HIDDEN]
        if own != keys:
            keys = own
            lines += ["", f"| {' | '.join(keys)} |", "|" + "---|" * len(keys)]
        lines.append(f"| {' | '.join(_cell(row[key]) for key in keys)} |")
    return lines[1:]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(map(str, value)) or None
    return "-" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
