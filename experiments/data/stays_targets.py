"""Intensive-care records as tables in time, with a table of targets: age of the patient and length of the stay.

    python -m ccnn_geo.experiments.data.stays_targets PHYSIONET2012.NPZ OUT

PHYSIONET2012.NPZ has ``minute``, ``param`` and ``value`` of each observation, ``offset [n + 1]`` of each record,
``record``, ``length_of_stay`` in days, -1 if unknown, and ``param_names``. OUT gets
``<split>/<record>.csv`` in the long form, ``time`` in hours, and ``<split>/targets.csv``. Values that do not change in
time are left out. Among the first 2,000 records, one in five is for validation and one in five for testing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from operator import methodcaller
from pathlib import Path

from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.target_table import TABLE

FIXED = ("Age", "Gender", "Height", "ICUType")
RECORDS = 2000
SPLITS = ("train", "train", "train", "validation", "test")
ARRAYS = ("minute", "param", "value", "offset", "record", "length_of_stay", "param_names")


def convert(source: Path, out: Path, records: int = RECORDS) -> Mapping[str, int]:
    """Writes the folders and returns the number of records of each split.

    Raises:
        ValueError: If the archive is damaged, or lacks an array.
    """
    arrays = read_arrays(source, ARRAYS)
    names = arrays["param_names"].tolist()
    tables = {split: ["file,age [years],stay [days]\n"] for split in SPLITS}
    counts = Counter[str]()
    for number, record in enumerate(arrays["record"][:records].tolist()):
        part = slice(arrays["offset"][number], arrays["offset"][number + 1])
        seen = [
            (int(minute), names[param], float(value))
            for minute, param, value in zip(*(arrays[key][part] for key in ARRAYS[:3]), strict=True)
        ]
        age = next((value for _, name, value in seen if name == "Age"), None)
        rows = [
            f"{minute / 60:.3f},{name},{value:.6g}\n" for minute, name, value in seen if name not in FIXED
        ]
        if not rows:
            continue
        split = SPLITS[number % len(SPLITS)]
        text = "time,variable,value\n" + "".join(rows)
        write_atomic(out / split / f"{record}.csv", methodcaller("write", text.encode()))
        stay = arrays["length_of_stay"][number]
        tables[split].append(
            f"{record}.csv,{'' if age is None else f'{age:g}'},{stay if stay >= 0 else ''}\n"
        )
        counts[split] += 1
    for split, table in tables.items():
        write_atomic(out / split / TABLE, methodcaller("write", "".join(table).encode()))
    return counts


def main(argv: list[str] | None = None) -> None:
    """Writes the folders and prints the number of records of each split."""
    options = parse(__doc__, argv)
    tell(options.out, convert(options.archive, options.out))


if __name__ == "__main__":
    main()
