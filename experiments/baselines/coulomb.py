"""Kernel ridge regression on Coulomb matrices, the first published method for QM7, to compare with networks on clouds.

    python -m ccnn_geo.experiments.baselines.coulomb qm7      # the folder of qm7_folder; needs the extra peers

The width of the kernel and the ridge are those with the smallest error on the validation set. Prints the errors on
both sets in the unit of the targets.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np

from ccnn_geo._base.extras import needs
from ccnn_geo.io.cloud_file import read_cloud
from ccnn_geo.io.target_table import TABLE, read_targets

BOHR = 0.529177
"""Ångström in a bohr."""
GAMMAS = tuple(10.0**-k for k in (2, 2.5, 3, 3.5, 4, 4.5, 5))
ALPHAS = tuple(10.0**-k for k in (6, 8, 10))


def coulomb_matrix(z: np.ndarray, pos: np.ndarray, size: int) -> np.ndarray:
    r"""The Coulomb matrix of a molecule, its rows sorted by their norm, padded with zeros.

    .. math::
        M_{ii} = \tfrac12 Z_i^{2.4}, \quad M_{ij} = \frac{Z_i Z_j}{\lVert R_i - R_j \rVert}

    Args:
        z: Charges of the atoms.
        pos: Their positions, in ångström.
        size: Rows of the result.

    Shapes:
        ``z [N]``, ``pos [N, 3]`` -> ``[size (size + 1) / 2]``, the lower triangle with the diagonal

    Source: M. Rupp et al., Fast and accurate modeling of molecular atomization energies, PRL 2012.

    Example:
        >>> coulomb_matrix(np.array([1.0, 1.0]), np.array([[0, 0, 0], [0, 0, 0.529177]]), 2)
        array([0.5, 1. , 0.5])
    """
    distance = np.linalg.norm(pos[:, None] - pos[None], axis=2) / BOHR
    np.fill_diagonal(distance, 1.0)
    matrix = np.outer(z, z) / distance
    np.fill_diagonal(matrix, 0.5 * z**2.4)
    order = np.argsort(-np.linalg.norm(matrix, axis=1), kind="stable")
    padded = np.zeros((size, size))
    padded[: len(z), : len(z)] = matrix[order][:, order]
    return padded[np.tril_indices(size)]


def read_part(root: Path, split: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads Coulomb matrices and energies of a split."""
    table = read_targets(root / split / TABLE)
    clouds = [read_cloud(root / split / name) for name in table.files]
    rows = [coulomb_matrix(cloud.fields["z"], cloud.pos, size) for cloud in clouds]
    return np.stack(rows), table.values[:, 0]


def main(argv: list[str] | None = None) -> None:
    """Fits on ``train``, chooses on ``validation``, and prints the error on ``test``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--atoms", type=int, default=23, help="atoms of the largest molecule; default: 23")
    options = parser.parse_args(argv)
    with needs("peers", "kernel ridge regression"):
        from sklearn.kernel_ridge import KernelRidge
    train, validation, test = (
        read_part(options.root, part, options.atoms) for part in ("train", "validation", "test")
    )
    mean = train[1].mean()
    best, chosen = np.inf, None
    for gamma, alpha in product(GAMMAS, ALPHAS):
        model = KernelRidge(kernel="laplacian", gamma=gamma, alpha=alpha).fit(train[0], train[1] - mean)
        error = np.abs(model.predict(validation[0]) + mean - validation[1]).mean()
        if error < best:
            best, chosen = error, (gamma, alpha, model)
    assert chosen is not None, "one of them is below infinity"
    gamma, alpha, model = chosen
    error = np.abs(model.predict(test[0]) + mean - test[1]).mean()
    print(f"gamma {gamma:g}, ridge {alpha:g}: validation MAE {best:.2f}, test MAE {error:.2f}")


if __name__ == "__main__":
    main()
