"""QM7 as clouds with a table of targets: molecules of up to 23 atoms, and their energies of atomisation.

    python -m ccnn_geo.experiments.data.qm7_folder QM7.NPZ OUT [--tables]

QM7.NPZ has ``z [P]``, ``pos [P, 3]`` in angstrom, ``offset [n + 1]`` and ``energy [n, k]`` in kcal/mol, of which the
first column is used (PBE0). OUT gets ``<split>/<number>.npz`` with ``pos`` and ``z``, and ``<split>/targets.csv``; with
``--tables`` it gets ``<split>.parquet``, a row for each atom. A fixed random tenth is the test set, another tenth
the validation set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from operator import methodcaller
from pathlib import Path

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.experiments.data.clouds import parse, tell
from ccnn_geo.io.files.storage import read_arrays, write_atomic
from ccnn_geo.io.target_table import TABLE

HEADER = "file,energy [kcal/mol]\n"


def convert(source: Path, out: Path, tables: bool = False) -> Mapping[str, int]:
    """Writes the folders, or tables, and returns the number of molecules of each split.

    Args:
        source: The archive.
        out: The output folder.
        tables: Write ``<split>.parquet`` instead.

    Raises:
        ImportError: If pyarrow is not installed, for tables.
        ValueError: If the archive is damaged, or lacks an array.
    """
    arrays = read_arrays(source, ("z", "pos", "offset", "energy"))
    count = len(arrays["energy"])
    order = np.random.default_rng(0).permutation(count)
    tenth = count // 10
    parts = {"test": order[:tenth], "validation": order[tenth : 2 * tenth], "train": order[2 * tenth :]}
    for split, members in parts.items():
        (_write_table if tables else _write_files)(arrays, sorted(members.tolist()), out, split)
    return {split: len(members) for split, members in parts.items()}


def _write_files(arrays: Mapping[str, np.ndarray], members: Sequence[int], out: Path, split: str) -> None:
    rows = [HEADER]
    for number in members:
        atoms = slice(arrays["offset"][number], arrays["offset"][number + 1])
        name = f"{number:04d}.npz"
        molecule = partial(np.savez, pos=arrays["pos"][atoms], z=arrays["z"][atoms])
        write_atomic(out / split / name, molecule)
        rows.append(f"{name},{float(arrays['energy'][number, 0])!r}\n")
    write_atomic(out / split / TABLE, methodcaller("write", "".join(rows).encode()))


def _write_table(arrays: Mapping[str, np.ndarray], members: Sequence[int], out: Path, split: str) -> None:
    with needs("parquet", "qm7_folder --tables"):
        import pyarrow
        from pyarrow.parquet import write_table
    sizes = np.diff(arrays["offset"])
    atoms = np.concatenate([np.arange(sizes[i]) + arrays["offset"][i] for i in members])
    sample = np.repeat(members, sizes[members])
    columns = {
        "sample": sample,
        **{f"pos_{axis}": arrays["pos"][atoms, i] for i, axis in enumerate("xyz")},
        "z": arrays["z"][atoms],
        "energy [kcal/mol]": arrays["energy"][sample, 0],
    }
    write_atomic(out / f"{split}.parquet", partial(write_table, pyarrow.table(columns)))


def main(argv: list[str] | None = None) -> None:
    """Writes the folders and prints the number of molecules of each split."""
    options = parse(__doc__, argv, tables="write <split>.parquet, a row for each atom, instead of folders")
    tell(options.out, convert(options.archive, options.out, options.tables))


if __name__ == "__main__":
    main()
