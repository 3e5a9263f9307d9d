"""A user's own recordings: sorted into classes, or with targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ccnn_geo._base.argument_types import check_types, types_of
from ccnn_geo.datasets.audio.clip_features import prepare_mfcc, statistics
from ccnn_geo.datasets.audio.clips import Clips, ClipSettings, load_clips, prepare_clips
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.find_layout import Layout, find_layout
from ccnn_geo.datasets.base.info import DatasetInfo
from ccnn_geo.datasets.base.signals import SignalDataset
from ccnn_geo.datasets.base.truths import answers_of, truths_of
from ccnn_geo.io.files.mapped import MappedArray
from ccnn_geo.io.files.sample_files import stamps
from ccnn_geo.io.recording import RECORDINGS
from ccnn_geo.io.wav import READING
from ccnn_geo.transforms.mfcc import MFCC
from ccnn_geo.transforms.pipelines.recordings import FULL_SCALE, EncodeSignal, RecordingPipeline


class WavFolder(SignalDataset):
    """Recordings in ``root/<split>/<class>/<file>.wav``, split train, validation (also val, valid, dev) or test.

    The extra ``audio`` adds FLAC, Ogg, Opus, MP3, AIFF and AU. :mod:`~ccnn_geo.datasets.base.find_layout` lists other
    ways to sort files. With a table of targets, :mod:`~ccnn_geo.datasets.base.target_files`, networks learn numbers for
    each recording. A warning counts other files, except hidden ones.

    Recordings are read once, in parallel, into ``cache`` as 16-bit samples, and used again as long as names, sizes and
    dates of the files stay the same. Peaks of floating point beyond [-1, 1] are cut off; a file with more than a tenth
    beyond has another scale and is refused. All existing splits must have the same classes.

    Args:
        root: The folder of the splits.
        split: One of the existing splits.
        transform: Applied to each signal ``[C, T]`` at every access. Only for training.
        length: Samples of every recording, at the common rate: shorter ones get silence on both sides, longer ones
            lose both ends. None if all have the same length.
        rate: Samples per second, to which others are resampled. None if they agree.
        mono: Average over channels; otherwise all files must have the same number.
        mfcc: Compute :class:`~ccnn_geo.transforms.mfcc.MFCC` of each channel: True for the paper's, or its arguments.
        normalize: By mean and deviation of each channel over ``root/train``; False leaves waves in [-1, 1).
        targets: Names of columns of the table of targets; None for all.
        cache: Folder of the stored recordings (default ``root/processed/wav_folder``).
        num_workers: Processes that read, 0 for none (default: by the number of files).
        download: Not used, there is nothing to download; kept for the common interface.
        checksum: Likewise.

    Shapes:
        ``dataset[i]`` is ``(signal [C, length], label)``, with mfcc ``(signal [C n_mfcc, 1 + length // hop], label)``;
        with targets ``[T]`` in place of the label.

    Raises:
        FileNotFoundError: If the folder or the split does not exist, or there is no ``root/train`` to normalise by.
        ValueError: If a class has no recordings, the splits have different classes, or recordings cannot be read or
            do not agree; lists them by the kind of error.

    Example:
        >>> import os
        >>> import tempfile
        >>> from scipy.io import wavfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     for name in ("cat", "dog"):
        ...         os.makedirs(f"{root}/train/{name}")
        ...         wavfile.write(f"{root}/train/{name}/0.wav", 8000, torch.arange(300, dtype=torch.int16).numpy())
        ...     WavFolder(root)
        WavFolder(2 samples [1, 300], 2 classes)
    """

    info = DatasetInfo(
        name="wav_folder",
        title="your own recordings: <split>/<class>/<file>.wav, or with targets.csv",
        family="sequence",
        in_channels=None,
        size=None,
        classes=0,
        folder="wav_folder",
        many_files=True,
        source="your files",
    )
    kind = RECORDINGS

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        transform: Callable[[Tensor], Tensor] | None = None,
        length: int | None = None,
        rate: int | None = None,
        mono: bool = True,
        mfcc: bool | Mapping[str, Any] = False,
        normalize: bool = True,
        targets: Sequence[str] | None = None,
        cache: str | PathLike[str] | None = None,
        num_workers: int | None = None,
        download: bool = True,
        checksum: str | None = "published",
    ) -> None:
        root = Path(root).expanduser()
        home = root / "processed" / self.info.folder if cache is None else Path(cache).expanduser()
        layout, settings = find_layout(root, self.kind, targets), ClipSettings(length, rate, mono)
        part = layout.part(split)
        open_part = partial(_stored, root, layout, settings, home, num_workers)
        stored = open_part(split)
        coefficients = _coefficients(mfcc, stored.rate)
        values, scale = _values(stored, coefficients)
        moments = None
        if normalize:
            if "train" not in layout.splits:
                raise FileNotFoundError(
                    f"{root}: no folder 'train' to normalise by; normalize=False does without"
                )
            train = stored if split == "train" else open_part("train")
            _check_alike(root, split, train, stored)
            trained, _ = _values(train, coefficients)
            rows = np.arange(len(trained))
            moments = statistics(trained, rows, scale, trained.path.with_suffix(".json"))
        encode = EncodeSignal(scale, moments)
        super().__init__(values, part.y, part.classes, encode, transform, **answers_of(part))
        mean, std = (None, None) if moments is None else (m.tolist() for m in moments)
        self._prepare = RecordingPipeline(
            stored.rate,
            int(stored.waves.shape[2]),
            None if mono else int(stored.waves.shape[1]),
            coefficients,
            mean,
            std,
        )
        self.rate, self._names = stored.rate, stored.extra["name"].tolist()

    @staticmethod
    def truths(root: Path, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """Returns the task of the files of a folder, and the place of the predictions."""
        return truths_of(root)

    @staticmethod
    def layout(root: Path, arguments: Mapping[str, Any]) -> Layout:
        """Finds out how the files of a folder are sorted."""
        return find_layout(root, RECORDINGS, arguments.get("targets"))

    @property
    def pipeline(self) -> RecordingPipeline:
        """Turns a file into a sample."""
        return self._prepare

    @property
    def names(self) -> list[str]:
        """Names of the files, relative to the root."""
        return [self._names[i] for i in self._index]


def _stored(
    root: Path, layout: Layout, settings: ClipSettings, home: Path, num_workers: int | None, split: str
) -> Clips:
    paths = layout.part(split).paths
    names = [path.relative_to(root).as_posix() for path in paths]
    target = home / f"{split}-{digest(names, stamps(paths), settings, READING)}"
    prepare_clips(paths, {"name": names}, settings, target, num_workers)
    return load_clips(target, ("name",))


def _check_alike(root: Path, split: str, train: Clips, stored: Clips) -> None:
    if (train.rate, train.waves.shape[1:]) != (stored.rate, stored.waves.shape[1:]):
        found = [f"{list(c.waves.shape[1:])} at {c.rate} per second" for c in (train, stored)]
        raise ValueError(
            f"{root}: recordings of train are {found[0]}, of {split} {found[1]}; give length and rate"
        )


def _coefficients(mfcc: bool | Mapping[str, Any], rate: int) -> dict[str, Any] | None:
    """Arguments of the MFCC; None for waves."""
    if mfcc is False:
        return None
    given = {} if mfcc is True else dict(mfcc)
    known = types_of(MFCC).keys() - {"return"}
    if not given.keys() <= known:
        raise ValueError(f"mfcc: expected some of {', '.join(sorted(known))}, got {', '.join(sorted(given))}")
    check_types("mfcc", MFCC, given)
    return {"sample_rate": rate, **given}


def _values(stored: Clips, coefficients: Mapping[str, Any] | None) -> tuple[MappedArray, float]:
    """Values of the samples, and their divisor."""
    if coefficients is None:
        return stored.waves, FULL_SCALE
    transform = MFCC(**coefficients)
    target = stored.waves.path.with_suffix(f".mfcc-{digest(repr(transform))}.npy")
    return prepare_mfcc(stored.waves, transform, target), 1.0
