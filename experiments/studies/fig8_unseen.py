"""Parameters against accuracy, with and without band-limits, on seen and unseen kinds of shapes.

    python -m ccnn_geo.experiments.studies.fig8_unseen --root FOLDER  # kinds.csv in it, as psb_folder writes it

The settings are those of ``unseen_kinds``. Kernels below the Nyquist rate of the points start at ``omega_0`` 0.5, the
others at the published 50. Every shape is predicted by the one of four networks that was not trained on it, or on any
shape of its kind. ``vertices33`` and ``grids_to_meshes`` have the same rows for other data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ccnn_geo.experiments.data.folds import FOLDS, fold_folder
from ccnn_geo.experiments.data.kind_folds import kind_folder, read_kinds
from ccnn_geo.experiments.engine.reproduction import Job, Numbers, Options, Study, main
from ccnn_geo.experiments.studies.held_out import HeldOut, Part, changed, same_folds
from ccnn_geo.experiments.studies.size_picture import both_limits, draw_sizes
from ccnn_geo.experiments.studies.unseen_kinds import EPOCHS, STRONG, point_settings

SIZES = ("ccnn_4_16", "ccnn_4_32", "ccnn_4_48", "ccnn_4_140")
ROWS = {
    name: changed(title, STRONG, **model)
    for size in SIZES
    for name, (title, model) in both_limits(size).items()
}
SCALES = {
    "small": tuple(name for size in ("ccnn_4_16", "ccnn_4_48") for name in both_limits(size)),
    "full": tuple(ROWS),
}


def _held_out(part: Part, what: str, parts: str) -> HeldOut:
    reference = {"small": "ccnn_4_48", "full": "ccnn_4_140"}
    return HeldOut(ROWS, SCALES, EPOCHS, FOLDS, part, point_settings, reference, what, parts)


KNOWN = "known-"
"""Prefix of the names of jobs on seen kinds."""
UNSEEN = _held_out(kind_folder, "on unseen kinds", "draws")
SEEN = _held_out(same_folds(fold_folder, FOLDS), "on seen kinds", "folds")


def jobs(options: Options) -> Sequence[Job]:
    """A training of each row and fold, at full scale for both ways to split the shapes."""
    read_kinds(options.data_root)  # reports what is missing before any training
    known = SEEN.jobs(options) if options.scale == "full" else []
    return [*UNSEEN.jobs(options), *(Job(f"{KNOWN}{job.name}", job.run) for job in known)]


def report(numbers: Mapping[str, Numbers], options: Options, folder: Path) -> str:
    """Writes the tables, and draws accuracies over sizes."""
    known = {name.removeprefix(KNOWN): n for name, n in numbers.items() if name.startswith(KNOWN)}
    tables = [(UNSEEN, numbers), *([(SEEN, known)] if known else [])]
    panels = [(study.what, study.sizes(found, options)) for study, found in tables]
    draw_sizes(panels, SIZES, folder / "sizes.png")
    texts = [study.report(found, options, folder) for study, found in tables]
    return "\n\n".join([*texts, "![Parameters against accuracy](sizes.png)"])


STUDY = Study(
    "fig8_unseen",
    "parameters against accuracy, with and without band-limits, on seen and unseen kinds of shapes",
    "Beyond Fig. 8 of the paper.",
    jobs,
    report,
    data="kinds.csv and <split>/<class>/<file>, as psb_folder writes them",
    seeds=1,
    scales=tuple(SCALES),
)

if __name__ == "__main__":
    main(STUDY)
