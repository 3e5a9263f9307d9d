"""Coulomb matrices by hand, and kernel ridge regression through its command."""

import numpy as np
import pytest

from ccnn_geo.experiments.baselines import coulomb


def test_rows_are_sorted_by_their_norm():
    z, pos = np.array([1.0, 8.0, 1.0]), np.array([[0.0, 0, 0.9], [0, 0, 0], [0, 0.9, 0]])
    near, far = 8 * 0.529177 / 0.9, 0.529177 / (0.9 * 2**0.5)
    own = 0.5 * 8**2.4
    found = coulomb.coulomb_matrix(z, pos, 4)
    assert found == pytest.approx([own, near, 0.5, near, far, 0.5, 0, 0, 0, 0])
    for order in ([1, 0, 2], [2, 1, 0]):
        assert coulomb.coulomb_matrix(z[order], pos[order] + 7, 4) == pytest.approx(found)


def test_learns_what_distance_says(tmp_path, capsys):
    """Two atoms whose energy is a smooth function of their distance."""
    pytest.importorskip("sklearn", reason="needs the extra peers")
    rng = np.random.default_rng(0)
    for part, count in (("train", 60), ("validation", 10), ("test", 10)):
        (tmp_path / part).mkdir()
        rows = ["file,energy [eV]"]
        for i in range(count):
            distance = rng.uniform(0.8, 2.0)
            np.savez(
                tmp_path / part / f"{i}.npz", pos=np.array([[0, 0, 0], [0, 0, distance]]), z=np.array([1, 1])
            )
            rows.append(f"{i}.npz,{100 * np.exp(-distance)}")
        (tmp_path / part / "targets.csv").write_text("\n".join(rows) + "\n")
    coulomb.main([str(tmp_path), "--atoms", "2"])
    printed = capsys.readouterr().out
    validation, test = (
        float(printed.split(f"{name} MAE ")[1].split(",")[0]) for name in ("validation", "test")
    )
    assert validation < 1
    assert test < 1
