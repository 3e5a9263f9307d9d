"""Intensive-care records as tables in time, with a table of targets: age of the patient and length of the stay.

    python -m ccnn_geo.experiments.data.stays_targets PHYSIONET2012.NPZ OUT [--wards]

PHYSIONET2012.NPZ has ``minute``, ``param`` and ``value`` of each observation, ``offset [n + 1]`` of each record,
``record``, ``length_of_stay`` in days, -1 if unknown, and ``param_names``. OUT gets
``<split>/<record>.csv`` in the long form, ``time`` in hours, and ``<split>/targets.csv``. Values that do not change in
time are left out. Among the first 2,000 records, one in five is for validation and one in five for testing. With
``--wards`` the classes are kinds of ward instead: OUT gets ``<ward>/<record>.csv``, without targets and splits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from operator import methodcaller
from pathlib import Path
from typing import NamedTuple

from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.target_table import TABLE

FIXED = ("Age", "Gender", "Height", "ICUType")
WARDS = ("coronary", "cardiac_surgery", "medical", "surgical")
"""Kinds of ward, by ``ICUType`` from 1."""

RECORDS = 2000
SPLITS = ("train", "train", "train", "validation", "test")
ARRAYS = ("minute", "param", "value", "offset", "record", "length_of_stay", "param_names")


class Stay(NamedTuple):
    """A record: its rows as text, its age in years, its ward, and its length in days."""

    name: str
    table: str
    age: float | None
    ward: str
    days: int


def read_stays(source: Path, records: int = RECORDS) -> Iterator[Stay]:
    """Reads the first records.

    Raises:
        ValueError: If the archive is damaged, or lacks an array.
    """
    arrays = read_arrays(source, ARRAYS)
    names = arrays["param_names"].tolist()
    for number, record in enumerate(arrays["record"][:records].tolist()):
        part = slice(arrays["offset"][number], arrays["offset"][number + 1])
        seen = [
            (int(minute), names[param], float(value))
            for minute, param, value in zip(*(arrays[key][part] for key in ARRAYS[:3]), strict=True)
        ]
        fixed = {name: value for _, name, value in reversed(seen) if name in FIXED}
        rows = [
            f"{minute / 60:.3f},{name},{value:.6g}\n" for minute, name, value in seen if name not in FIXED
        ]
        ward = WARDS[int(fixed["ICUType"]) - 1] if "ICUType" in fixed else ""
        days = int(arrays["length_of_stay"][number])
        yield Stay(str(record), "".join(rows), fixed.get("Age"), ward, days)


def convert(source: Path, out: Path, records: int = RECORDS) -> Mapping[str, int]:
    """Writes the folders with targets and returns the number of records of each split.

    Raises:
        ValueError: If the archive is damaged, or lacks an array.
    """
    tables = {split: ["file,age [years],stay [days]\n"] for split in SPLITS}
    counts = Counter[str]()
    for number, stay in enumerate(read_stays(source, records)):
        if not stay.table:
            continue
        split = SPLITS[number % len(SPLITS)]
        _write(out / split, stay)
        age = "" if stay.age is None else f"{stay.age:g}"
        tables[split].append(f"{stay.name}.csv,{age},{stay.days if stay.days >= 0 else ''}\n")
        counts[split] += 1
    for split, table in tables.items():
        write_atomic(out / split / TABLE, methodcaller("write", "".join(table).encode()))
    return counts


def convert_wards(source: Path, out: Path, records: int = RECORDS) -> Mapping[str, int]:
    """Writes a folder for each ward and returns their numbers of records.

    Raises:
        ValueError: If the archive is damaged, or lacks an array.
    """
    counts = Counter[str]()
    for stay in read_stays(source, records):
        if stay.table and stay.ward:
            _write(out / stay.ward, stay)
            counts[stay.ward] += 1
    return counts


def _write(folder: Path, stay: Stay) -> None:
    text = "time,variable,value\n" + stay.table
    write_atomic(folder / f"{stay.name}.csv", methodcaller("write", text.encode()))


def main(argv: list[str] | None = None) -> None:
    """Writes the folders and prints the number of records of each split or ward."""
    options = parse(__doc__, argv, wards="kinds of ward as classes")
    write = convert_wards if options.wards else convert
    tell(options.out, write(options.archive, options.out))


if __name__ == "__main__":
    main()
