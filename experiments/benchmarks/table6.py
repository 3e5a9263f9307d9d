"""Table 6 of the paper: time of one layer, forward and backward, beside S4 and LSSL.

    python -m ccnn_geo.experiments.benchmarks.table6 [--lengths 1024 16000] [--hidden 256] [--methods s4 ccnn] [--large]
    python -m ccnn_geo.experiments.benchmarks.table6 --quick                          # toy sizes: does it run?

*CCNN* is only the depthwise convolution, as in S4, S4D and LSSL (64 states per channel), with a kernel as
long as the input; *window 0.075* ends it at the published window, *+ pointwise* is the whole SepFlexConv. The
paper times "a single layer" and does not give its batch size. Its LSSL are the numbers of the S4 paper, which end at
128; ours doubles Krylov vectors and continues. ``--large`` adds 1,024 channels, which a GPU measures by default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ccnn_geo.experiments.benchmarks.efficiency_study import run
from ccnn_geo.experiments.benchmarks.study_report import Study

LENGTHS = (128, 1024, 4096, 16000)
HIDDEN = (256, 512, 1024)
PUBLISHED = {
    "lssl": (9.32, 20.60, 140.70),  # none beyond a length of 128
    "s4": (4.16, 3.41, 4.16, 4.11, 6.39, 9.06, 6.86, 10.57, 25.20, 18.10, 35.72, 96.64),
    "ccnn": (3.99, 3.71, 4.12, 3.90, 5.07, 7.25, 5.91, 9.67, 22.39, 20.64, 42.49, 102.57),
}
"""Milliseconds on an RTX 3090, by length and then by hidden size."""


def by_length_and_hidden(published: Mapping[str, Sequence[float]]) -> dict[tuple[str, int, int], float]:
    """The paper's cells by method, length and hidden size."""
    columns = [(n, h) for n in LENGTHS for h in HIDDEN]
    return {(m, *at): cell for m, row in published.items() for at, cell in zip(columns, row, strict=False)}


STUDY = Study(
    "table6",
    "layer",
    "ms",
    reference="s4",
    paper=by_length_and_hidden(PUBLISHED),
    lengths=LENGTHS,
    hidden=HIDDEN[:2],
    large=HIDDEN[2],
    toy=((16, 40), (4,)),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command with these arguments."""
    run(STUDY, __doc__, argv)


if __name__ == "__main__":
    main()
