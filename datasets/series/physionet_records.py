"""Files of PhysioNet/CinC Challenge 2012: one stay a file, and a table of outcomes."""

import math
from pathlib import Path

import numpy as np

from ccnn_geo.datasets.series.series import Record
from ccnn_geo.transforms.pipelines.series import merge

VARIABLES = (
    *("Albumin", "ALP", "ALT", "AST", "Bilirubin", "BUN", "Cholesterol", "Creatinine", "DiasABP", "FiO2"),
    *("GCS", "Glucose", "HCO3", "HCT", "HR", "K", "Lactate", "Mg", "MAP", "MechVent", "Na", "NIDiasABP"),
    *("NIMAP", "NISysABP", "PaCO2", "PaO2", "pH", "Platelets", "RespRate", "SaO2", "SysABP", "Temp"),
    *("TroponinI", "TroponinT", "Urine", "WBC", "Weight"),
)
"""Variables measured in time, in the publisher's order."""

STATIC = ("Age", "Gender", "Height", "ICUType=1", "ICUType=2", "ICUType=3", "ICUType=4")
"""Data noted at admission: years, 0 or 1 (male), cm, kind of unit."""

_INDEX = {name: i for i, name in enumerate(VARIABLES)}


def read_outcomes(path: Path) -> dict[str, int]:
    """Reads the label of each record: 1 for a death in hospital.

    Raises:
        ValueError: If a column is missing, a row cannot be read, or a label is neither 0 nor 1.
    """
    header, *rows = _lines(path)
    columns = [name.strip() for name in header.split(",")]
    if not {"RecordID", "In-hospital_death"} <= set(columns):
        raise ValueError(f"{path}: columns {header!r}, expected RecordID and In-hospital_death among them")
    record, death = columns.index("RecordID"), columns.index("In-hospital_death")
    labels = {}
    for number, row in enumerate(rows, 2):
        cells = [cell.strip() for cell in row.split(",")]
        if len(cells) != len(columns) or cells[death] not in ("0", "1"):
            raise ValueError(
                f"{path}, line {number}: {row[:60]!r}, expected {len(columns)} columns, death 0 or 1"
            )
        labels[cells[record]] = int(cells[death])
    return labels


def read_record(path: Path, label: int) -> Record:
    """Reads one stay from lines ``hh:mm,parameter,value``; times in minutes.

    Raises:
        ValueError: If a line cannot be read; names the first one.
    """
    header, *rows = _lines(path)
    if header.replace(" ", "") != "Time,Parameter,Value":
        raise ValueError(f"{path}: starts with {header[:40]!r}, expected Time,Parameter,Value")
    # admission is a point even if nothing is known of it
    time, variable, value = [0.0], [0], [math.nan]
    static = np.full(len(STATIC), np.nan)
    for number, row in enumerate(rows, 2):
        minute, name, number_read = _parse(path, number, row)
        if name in ("RecordID", "") or number_read == -1:  # some lines of the sets name no parameter
            continue
        if name == "ICUType":
            static[3:] = [number_read == kind for kind in (1, 2, 3, 4)]
        elif name in STATIC:
            static[STATIC.index(name)] = number_read
        elif name in _INDEX:
            time.append(minute)
            variable.append(_INDEX[name])
            value.append(number_read)
        else:
            raise ValueError(f"{path}, line {number}: unknown parameter {name!r} in {row[:60]!r}")
    times, values = merge(np.array(time), np.array(variable), np.array(value), len(VARIABLES))
    return Record(path.stem, label, times, values, static)


def _parse(path: Path, number: int, row: str) -> tuple[float, str, float]:
    try:
        clock, name, value = row.split(",")
        hours, minutes = clock.split(":")
        minute, amount = float(60 * int(hours) + int(minutes)), float(value)
        if minute < 0 or not math.isfinite(amount):
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"{path}, line {number}: {row[:60]!r}, expected hh:mm,parameter,number") from None
    return minute, name.strip(), amount


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").removeprefix("\ufeff").split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    if not lines:
        raise ValueError(f"{path}: the file is empty, expected a header and rows")
    return lines
