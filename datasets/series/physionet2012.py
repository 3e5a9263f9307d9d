"""PhysioNet/CinC Challenge 2012: two days in intensive care, and whether the patient survived the stay."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from ccnn_geo._base.pyg import Data
from ccnn_geo.datasets.base.conversion import Results, convert
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.datasets.base.splits import stratified_split
from ccnn_geo.datasets.series.physionet_records import STATIC, VARIABLES, read_outcomes, read_record
from ccnn_geo.datasets.series.series import STORED, Record, SeriesDataset, write_series
from ccnn_geo.io.files.archive import extract_atomic
from ccnn_geo.io.files.download import fetch
from ccnn_geo.io.files.storage import exclusive
from ccnn_geo.transforms.pipelines.series import Scale

HOURS = 48
SPLITS = ("train", "validation", "test")
_URL = "https://physionet.org/files/challenge-2012/1.0.0"


class PhysioNet2012(SeriesDataset):
    """Intensive care, 12,000 stays of 48 hours: 37 variables at irregular times; label 1 for death in hospital.

    A point is a distinct minute with observations, or the admission; positions are -1 at admission and 1 after
    48 hours (24 hours a unit). Values noted twice in a minute are averaged, -1 means unknown. Errors (a pH of 100)
    are pulled in to the quantiles of the training set before values are standardised by it.

    With the sets a, b and c, set a is for training, b for validation and c for testing. Other choices of sets are
    pooled and split by class, 70 : 15 : 15, the same records on every machine.

    Args:
        root: ``root/physionet2012``, or ``root`` itself, holds ``set-a/<record>.txt`` and ``Outcomes-a.txt``.
        split: "train", "validation" or "test".
        download: Fetch what is missing.
        checksum: Kept for the common interface; this package does not include the publisher's digests.
        check_counts: Insist on 4,000 records a set; otherwise the files are checked at every call.
        sets: Names of the sets, e.g. "c"; None for those that are there unpacked, and for all three if none is.
        static: Age, gender, height and kind of unit as further channels.
        tails: Share of a variable's values at either end that counts as errors.
        transform: Applied at every access; augmentation, only for training.

    Shapes:
        ``dataset[i]`` is ``Data(x [N, 74], pos [N, 1], y [1], name)``, N about 75; with ``static`` ``x [N, 88]``.

    Raises:
        ConnectionError: If a file cannot be fetched; the message says which file to place where.
        FileNotFoundError: If files are missing and ``download`` is False.
        ValueError: For an unknown split or set, a wrong number of records, or a line that cannot be read.

    Example:
        >>> PhysioNet2012.info.counts, PhysioNet2012.info.in_channels
        ({'train': 4000, 'validation': 4000, 'test': 4000}, 74)
        >>> train = PhysioNet2012("data", "train")  # doctest: +SKIP
        >>> train[0].x.size(1), train[0].pos.size(1)  # doctest: +SKIP
        (74, 1)

    Source: Silva et al. (2012), Predicting in-hospital mortality of ICU patients.
    """

    info = DatasetInfo(
        name="physionet2012",
        title="PhysioNet 2012: intensive care, irregular in time, death in hospital",
        family="series",
        in_channels=2 * len(VARIABLES),
        size=None,
        classes=2,
        counts={"train": 4000, "validation": 4000, "test": 4000},
        folder="physionet2012",
        files=tuple(
            file
            for s in "abc"
            for file in (
                DataFile(f"{_URL}/set-{s}.tar.gz", f"set-{s}.tar.gz", None, 6_600_000),
                DataFile(f"{_URL}/Outcomes-{s}.txt", f"Outcomes-{s}.txt", None, 80_000),
            )
        ),
        prepared=250_000_000,
        many_files=True,
        source="https://physionet.org/content/challenge-2012/1.0.0/",
    )

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        check_counts: bool = True,
        sets: str | None = None,
        static: bool = False,
        tails: float = 0.001,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"physionet2012: expected split {', '.join(SPLITS)}, got {split!r}")
        if sets is not None and (not sets or set(sets) - set("abc") or len(set(sets)) < len(sets)):
            raise ValueError(f"physionet2012: expected sets of the letters a, b, c, got {sets!r}")
        if not 0 <= tails < 0.5:
            raise ValueError(f"physionet2012: expected 0 <= tails < 0.5, got {tails}")
        if checksum not in ("published", None):
            raise ValueError(
                f"physionet2012: no digests are known, expected 'published' or None, got {checksum!r}"
            )
        root = Path(root).expanduser()
        home = _home(root)
        sets = "".join(sorted(sets)) if sets is not None else _there(home)
        key = digest(VARIABLES, STATIC, tails, STORED)
        if not check_counts:  # files may change, so the key of the stored points includes their dates
            _ensure(root, sets, download)
            home = _home(root)
            key = digest(key, [(p.name, p.stat().st_mtime_ns) for s in sets for p in _paths(home, s)])
        targets = {
            name: root / "processed" / self.info.folder / f"{sets}-{name}-{key}.npz" for name in SPLITS
        }
        if not all(target.exists() for target in targets.values()):
            _ensure(root, sets, download)
            _prepare(_home(root), sets, targets, check_counts, tails)
        super().__init__(targets[split], ("survived", "died"), static=static, transform=transform)


def _home(root: Path) -> Path:
    """The data set's folder, or the root itself if the sets were unpacked there."""
    home = root / "physionet2012"
    return root if not home.is_dir() and any((root / f"set-{s}").is_dir() for s in "abc") else home


def _there(home: Path) -> str:
    """Sets that were placed unpacked; archives beside them come from a download, which takes all three."""
    placed = "".join(s for s in "abc" if (home / f"set-{s}").is_dir())
    return "abc" if not placed or any(home.glob("set-*.*")) else placed


def _ensure(root: Path, sets: str, download: bool) -> None:
    with exclusive(root, "physionet2012"):
        home = _home(root)
        missing = [f"set-{s}" for s in sets if not (home / f"set-{s}").is_dir()]
        outcomes = [f"Outcomes-{s}.txt" for s in sets if not (home / f"Outcomes-{s}.txt").is_file()]
        lacking = [*(m for m in missing if not (home / f"{m}.tar.gz").exists()), *outcomes]
        if lacking and not download:
            raise FileNotFoundError(
                f"physionet2012: no {', '.join(lacking)} in {home}; place the published files there "
                f"({_URL}/set-a.tar.gz, Outcomes-a.txt and so on), use download=True, or name the sets that are there"
            )
        for name in missing:  # fetch all before unpacking any: unpacked sets mark what is wanted
            fetch(f"{_URL}/{name}.tar.gz", home / f"{name}.tar.gz")
        for name in outcomes:
            fetch(f"{_URL}/{name}", home / name)
        for name in missing:
            archive = home / f"{name}.tar.gz"
            try:
                extract_atomic(archive, name, home / name)
            except (EOFError, tarfile.TarError, zlib.error) as error:
                raise ValueError(f"{archive}: damaged archive, expected a whole .tar.gz") from error


def _paths(home: Path, letter: str) -> list[Path]:
    return sorted((home / f"set-{letter}").glob("*.txt"))


def _prepare(home: Path, sets: str, targets: dict[str, Path], check_counts: bool, tails: float) -> None:
    listed = {letter: _list_set(home, letter, check_counts) for letter in sets}

    def merge(found: Results) -> None:
        stays = found.arrays("records")
        parts = {
            letter: [
                Record(path.stem, label, **next(stays)) for path, label in zip(*listed[letter], strict=True)
            ]
            for letter in sets
        }
        _write_splits(home, sets, parts, targets, tails)

    paths = [path for some, _ in listed.values() for path in some]
    last = targets[SPLITS[-1]]
    convert(
        stored_record,
        (paths,),
        last,
        merge,
        title="physionet2012",
        is_there=lambda: all(target.exists() for target in targets.values()),
    )


def _write_splits(
    home: Path, sets: str, parts: dict[str, list[Record]], targets: dict[str, Path], tails: float
) -> None:
    if sets == "abc":
        splits = dict(zip(SPLITS, parts.values(), strict=True))
    else:
        pooled = [record for part in parts.values() for record in part]
        y = torch.tensor([record.truth for record in pooled])
        keep, held_out = stratified_split(y, 0.3)
        validation, test = (held_out[index] for index in stratified_split(y[held_out], 0.5))
        splits = {
            name: [pooled[i] for i in index.tolist()]
            for name, index in zip(SPLITS, (keep, validation, test), strict=True)
        }
    scale = Scale.measure(np.concatenate([record.values for record in splits["train"]]), tails)
    static_scale = Scale.measure(np.stack([record.static for record in splits["train"]]), tails)
    for name, records in splits.items():
        if not records:
            total = sum(map(len, parts.values()))
            raise ValueError(f"{home}: {total} records in the sets {sets!r} leave none for {name}")
        write_series(targets[name], records, scale, static_scale, HOURS * 60, VARIABLES, STATIC)


def _list_set(home: Path, letter: str, check_counts: bool) -> tuple[list[Path], list[int]]:
    """Lists the files of a set, with the outcome of each stay."""
    paths = _paths(home, letter)
    if not paths or (check_counts and len(paths) != 4000):
        raise ValueError(
            f"{home / f'set-{letter}'}: {len(paths)} files <record>.txt, expected 4000; remove the folder to unpack "
            f"it again, or accept a part of it with check_counts=False"
        )
    labels = read_outcomes(home / f"Outcomes-{letter}.txt")
    for path in paths:
        if path.stem not in labels:
            raise ValueError(f"{home / f'Outcomes-{letter}.txt'}: no record {path.stem}, but {path} exists")
    return paths, [labels[path.stem] for path in paths]


def stored_record(path: Path) -> dict[str, np.ndarray]:
    """Reads a stay as arrays of numbers; its label is in another file."""
    record = read_record(path, 0)
    return {"time": record.time, "values": record.values, "static": record.static}
