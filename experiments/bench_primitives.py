"""Why the edge path is written as it is: two libraries' small products, gathered sines, memory used again.

python -m ccnn_geo.experiments.bench_primitives
"""

from __future__ import annotations

import torch

from ccnn_geo.experiments.timing import interleaved, machine
from ccnn_geo.functional.linear import cross, linear

EDGES, CHANNELS, POINTS = 2560, 140, 4096


def main() -> None:
    torch.set_num_threads(1)
    print(machine())
    for hidden in (8, 32):
        filters = 4 * hidden
        rows, weight = torch.randn(EDGES, hidden), torch.randn(hidden, hidden)
        basis, output = torch.randn(EDGES, hidden + 1), torch.randn(CHANNELS, hidden + 1)
        x, source = torch.randn(POINTS, CHANNELS), torch.randint(0, POINTS, (EDGES,))
        table, phase = torch.randn(POINTS, filters), torch.randn(EDGES, filters)
        rel, scale = torch.randn(3, EDGES), torch.randn(3, filters)
        powers, quadratic = torch.randn(7, EDGES), torch.randn(7, filters)
        kept, gathered = torch.empty(EDGES, filters), x.index_select(0, source)

        def by_axes(rel: torch.Tensor = rel, scale: torch.Tensor = scale) -> torch.Tensor:
            total = 0
            for r, a in zip(rel.unsqueeze(2), scale, strict=True):
                total = total - (r * a).square()
            return total

        cases = {
            "hidden layer, torch.mm": lambda r=rows, w=weight: r @ w.mT,
            "hidden layer, linear": lambda r=rows, w=weight: linear(r, w),
            "kernel per edge, torch.mm": lambda b=basis, w=output: b @ w.mT,
            "kernel per edge, linear": lambda b=basis, w=output: linear(b, w),
            "gradient of the output layer, torch.mm": lambda b=basis, g=gathered: b.mT @ g,
            "gradient of the output layer, cross": lambda b=basis, g=gathered: cross(b.mT, g),
            "sin of all filters": lambda p=phase: p.sin(),
            "row of a table of sines": lambda t=table, s=source: t.index_select(0, s),
            "exp of all filters": lambda p=phase: p.exp(),
            "exp2 of all filters": lambda p=phase: p.exp2(),
            "exponents, one product": lambda p=powers, q=quadratic, o=kept: torch.mm(p.mT, q, out=o),
            "exponents, by axes": by_axes,
            "features x[index]": lambda x=x, s=source: x[s],
            "features x.index_select": lambda x=x, s=source: x.index_select(0, s),
        }
        print(f"\n{EDGES} edges, {CHANNELS} channels, H = {hidden}")
        for name, value in interleaved(cases, repeats=101).items():
            print(f"  {name:40s} {1e6 * value:7.1f} us")


if __name__ == "__main__":
    main()
