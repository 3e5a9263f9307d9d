"""Table 5 of the paper: time of whole networks, forward and backward, against the length of sequences.

    python -m ccnn_geo.experiments.benchmarks.table5 [--lengths 1024 16000] [--methods global ccnn] [--large]
    python -m ccnn_geo.experiments.benchmarks.table5 --quick                          # toy sizes: does it run?

*Local CNN* has kernels of 5 and pools after each block, its depth tuned to the length; *Global CNN* has a free
parameter per tap and as many taps as the input. *CCNN* is the paper's worst case, kernels as long as the input. The
other row has the published window, which ends the kernels. All are causal, with 3 input channels and 10
classes. ``--large`` adds the networks of 380 channels, which a GPU measures by default.
"""

from __future__ import annotations

from collections.abc import Sequence

from ccnn_geo.experiments.benchmarks.efficiency_study import run
from ccnn_geo.experiments.benchmarks.sequence_layers import SIZES
from ccnn_geo.experiments.benchmarks.study_report import Study

LENGTHS = (1024, 4096, 8192, 16000)
PUBLISHED = {
    ("local", 140): (24, 32, 43, 65),
    ("global", 140): (13, 25, 53, 122),
    ("ccnn", 140): (52, 56, 77, 145),
    ("local", 380): (24, 38, 93, 178),
    ("global", 380): (31, 102, 220),  # out of memory at 16,000
    ("ccnn", 380): (71, 136, 255, 537),
}
"""Milliseconds on an RTX 3090, by length."""
STUDY = Study(
    "table5",
    "network",
    "ms",
    reference="ccnn",
    paper={(m, n, h): ms for (m, h), row in PUBLISHED.items() for n, ms in zip(LENGTHS, row, strict=False)},
    lengths=LENGTHS,
    hidden=(140,),
    large=380,
    allowed=tuple(SIZES),
    toy=((16, 40), (16,)),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command with these arguments."""
    run(STUDY, __doc__, argv)


if __name__ == "__main__":
    main()
