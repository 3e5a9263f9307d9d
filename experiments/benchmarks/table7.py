"""Table 7 of the paper: peak memory of one layer, forward and backward, beside S4 and LSSL.

    python -m ccnn_geo.experiments.benchmarks.table7 [--lengths 1024 16000] [--hidden 256] [--methods s4 ccnn] [--large]
    python -m ccnn_geo.experiments.benchmarks.table7 --quick                          # toy sizes: does it run?

The layers of ``table6``, each in a separate process: peak memory above that of layer, input and the output's gradient,
once a toy step has loaded libraries. On a CPU it is the memory of the process, so a few MB belong to the allocator. The
paper does not say what it counts, nor its batch size; only ratios within a column can be compared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ccnn_geo.experiments.benchmarks.efficiency_study import run
from ccnn_geo.experiments.benchmarks.table6 import STUDY as TABLE6
from ccnn_geo.experiments.benchmarks.table6 import by_length_and_hidden

PUBLISHED = {
    "lssl": (222.1, 1685, 13140),  # none beyond a length of 128
    "s4": (
        *(5.6, 14.46, 42.64, 33.65, 70.47, 153.69),
        *(129.69, 262.51, 537.72, 508.93, 1014.08, 2033.82),
    ),
    "ccnn": (
        *(14.46, 28.94, 60.38, 113.13, 222.97, 444.17),
        *(451.39, 888.24, 1763.43, 1764.46, 3467.34, 6878.26),
    ),
}
"""MB on an RTX 3090, by length and then by hidden size."""
STUDY = dataclasses.replace(
    TABLE6, name="table7", unit="MB", paper=by_length_and_hidden(PUBLISHED), repeats=1
)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command with these arguments."""
    run(STUDY, __doc__, argv)


if __name__ == "__main__":
    main()
