"""Why the kernel networks are written as they are: layouts of skinny products, exp against exp2.

python -m ccnn_geo.experiments.bench_primitives
"""

from __future__ import annotations

import torch

from ccnn_geo.experiments.timing import interleaved, machine


def main() -> None:
    torch.set_num_threads(1)
    print(machine())
    for hidden, edges in ((8, 32768), (32, 8192)):
        weight, last = torch.randn(hidden, hidden), torch.randn(hidden, edges)
        rows, log = last.mT.contiguous(), -20 * torch.randn(hidden, edges).abs()
        seconds = interleaved(
            {
                "[E, H] @ [H, H]": lambda w=weight, r=rows: r @ w,
                "[H, H] @ [H, E]": lambda w=weight, x=last: w @ x,
                "[H, E] @ [E, H], from [E, H]": lambda r=rows: r.mT @ r,
                "[H, E] @ [E, H], from [H, E]": lambda x=last: x @ x.mT,
                "exp": lambda v=log: v.exp(),
                "exp2": lambda v=log: v.exp2(),
                "sin": lambda v=log: v.sin(),
            },
            repeats=21,
        )
        print(f"\nH = {hidden}, E = {edges}")
        for name, value in seconds.items():
            print(f"  {name:30s} {1e3 * value:7.3f} ms")


if __name__ == "__main__":
    main()
