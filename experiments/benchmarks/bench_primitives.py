"""Measurements behind the edge path: small products of two libraries, gathered sines, reused memory.

python -m ccnn_geo.experiments.benchmarks.bench_primitives
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ccnn_geo.experiments.benchmarks.timing import interleaved, machine
from ccnn_geo.kernels.math.linear import cross, linear

EDGES, CHANNELS, POINTS = 2560, 140, 4096


def operations(hidden: int) -> dict[str, Callable[[], torch.Tensor]]:
    """Returns the operations to compare, for kernel networks of one width."""
    filters = 4 * hidden
    rows, weight = torch.randn(EDGES, hidden), torch.randn(hidden, hidden)
    basis, output = torch.randn(EDGES, hidden + 1), torch.randn(CHANNELS, hidden + 1)
    x, source = torch.randn(POINTS, CHANNELS), torch.randint(0, POINTS, (EDGES,))
    table, phase = torch.randn(POINTS, filters), torch.randn(EDGES, filters)
    rel, scale = torch.randn(3, EDGES), torch.randn(3, filters)
    powers, quadratic = torch.randn(7, EDGES), torch.randn(7, filters)
    kept, gathered = torch.empty(EDGES, filters), x.index_select(0, source)

    def by_axes() -> torch.Tensor:
        total = torch.zeros(())
        for r, a in zip(rel.unsqueeze(2), scale, strict=True):
            total = total - (r * a).square()
        return total

    return {
        "hidden layer, torch.mm": lambda: rows @ weight.mT,
        "hidden layer, linear": lambda: linear(rows, weight),
        "kernel per edge, torch.mm": lambda: basis @ output.mT,
        "kernel per edge, linear": lambda: linear(basis, output),
        "gradient of the output layer, torch.mm": lambda: basis.mT @ gathered,
        "gradient of the output layer, cross": lambda: cross(basis.mT, gathered),
        "sin of all filters": lambda: phase.sin(),
        "row of a table of sines": lambda: table.index_select(0, source),
        "exp of all filters": lambda: phase.exp(),
        "exp2 of all filters": lambda: phase.exp2(),
        "exponents, one product": lambda: torch.mm(powers.mT, quadratic, out=kept),
        "exponents, by axes": by_axes,
        "features x[index]": lambda: x[source],
        "features x.index_select": lambda: x.index_select(0, source),
    }


def main() -> None:
    """Runs the command with these arguments."""
    torch.set_num_threads(1)
    print(machine())
    for hidden in (8, 32):
        print(f"\n{EDGES} edges, {CHANNELS} channels, H = {hidden}")
        for name, value in interleaved(operations(hidden), repeats=101).items():
            print(f"  {name:40s} {1e6 * value:7.1f} us")


if __name__ == "__main__":
    main()
