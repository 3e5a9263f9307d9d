"""Small molecules whose energy follows from their atoms and their size, and fields over points."""

from pathlib import Path

import numpy as np

KINDS = (1, 6, 8)


def write_molecules(
    root: Path, counts: dict[str, int], folders: bool = True
) -> dict[str, list[tuple[str, float]]]:
    """Writes ``<split>/<number>.npz`` and tables; names and energies of each split.

    Args:
        root: Where to.
        counts: Molecules of each split.
        folders: Whether splits are folders, each with a table; else there is one table for all.
    """
    rng = np.random.default_rng(0)
    written: dict[str, list[tuple[str, float]]] = {}
    for split, count in counts.items():
        rows = []
        for number in range(count):
            size = int(rng.integers(3, 8))
            z, pos = rng.choice(KINDS, size), rng.normal(size=(size, 3)) * 2
            energy = float(-10.0 * z.sum() - 3 + np.linalg.norm(pos, axis=1).mean())
            name = f"{split}/{number}.npz" if folders else f"all/{split}_{number}.npz"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            np.savez(root / name, pos=pos, z=z, height=pos[:, 2] + 1)
            rows.append((name, energy))
        written[split] = rows
        if folders:
            lines = [f"{Path(name).name},{energy!r},1\n" for name, energy in rows]
            (root / split / "targets.csv").write_text("file,energy [kcal/mol],other\n" + "".join(lines))
    if not folders:
        lines = [f"{name},{split},{e!r}\n" for split, rows in written.items() for name, e in rows]
        (root / "targets.csv").write_text("file,split,energy [kcal/mol]\n" + "".join(lines))
    return written
