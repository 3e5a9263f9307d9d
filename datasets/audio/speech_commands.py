"""Speech Commands (Warden, 2018): ten spoken words as waveforms, at half the rate, and as MFCC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ccnn_geo.datasets.audio.clip_features import prepare_mfcc, statistics
from ccnn_geo.datasets.audio.clips import ClipSettings, load_clips, prepare_clips
from ccnn_geo.datasets.audio.speech_files import SPLITS, check_words, ensure_words, list_recordings, split_of
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.datasets.base.signals import SignalDataset
from ccnn_geo.io.files.mapped import MappedArray
from ccnn_geo.io.files.sample_files import stamps
from ccnn_geo.io.wav import READING
from ccnn_geo.transforms.mfcc import MFCC
from ccnn_geo.transforms.pipelines.recordings import FULL_SCALE, EncodeSignal, RecordingPipeline

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""The words of the paper, after Kidger et al. (2020); the position of a word is its label."""

RATE = LENGTH = 16000
"""Samples per second, and in a recording of one second."""

_INFO = DatasetInfo(
    name="speech_raw",
    title="ten spoken words, raw waveforms",
    family="sequence",
    in_channels=1,
    size=(LENGTH,),
    classes=len(WORDS),
    counts={"train": 24_482, "validation": 5_246, "test": 5_247},
    folder="speech_commands",
    files=(
        DataFile(
            "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
            "speech_commands_v0.02.tar.gz",
            "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            2_428_923_189,
        ),
    ),
    prepared=4_700_000_000,  # 105,829 recordings unpacked, 16-bit samples of the ten words
    many_files=True,
    source="Warden, 2018, ten words as in Kidger et al., 2020; Appendix B",
)


class _SpeechCommands(SignalDataset):
    """The words of Speech Commands, by default as waves; arguments as :class:`SpeechCommandsRaw`."""

    info = _INFO
    _step = 1
    _takes_mfcc = False

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        transform: Callable[[Tensor], Tensor] | None = None,
        check_counts: bool = True,
        words: Sequence[str] = WORDS,
        clips: str = "drop",
        splitting: str = "paper",
        normalize: bool | str = True,
        num_workers: int | None = None,
    ) -> None:
        self._check(
            split=(split, SPLITS),
            clips=(clips, ("drop", "pad")),
            splitting=(splitting, ("paper", "official")),
            normalize=(normalize, (True, False, "clip")),
        )
        words, root = check_words(words), Path(root).expanduser()
        checksum = self.info.files[0].checksum if checksum == "published" else checksum

        def folder() -> Path:
            return ensure_words(root, self.info.folder, words, self.info.files[0], download, checksum)

        target = _prepared(root, words, check_counts and words == WORDS, num_workers, folder)
        stored = load_clips(target, ("name", "y", "official"))
        names, y, official = stored.extra.values()
        kept = np.arange(len(y)) if clips == "pad" else np.flatnonzero(stored.samples == LENGTH)
        if not len(kept):
            raise ValueError(
                f"{self.info.name}: none of {len(y)} recordings has {LENGTH} samples; clips='pad' fits them"
            )
        parts = split_of(names[kept], y[kept], official[kept] if splitting == "official" else None)
        values, scale = self._values(stored.waves)
        moments: tuple[Tensor, Tensor] | str | None = "clip" if normalize == "clip" else None
        if normalize is True:
            known = values.path.with_name(f"{values.path.stem}-{splitting}-{clips}.json")
            moments = statistics(values, kept[parts == 0], scale, known)
        super().__init__(values, y, words, EncodeSignal(scale, moments, self._step), transform)
        mean, std = (m.tolist() for m in moments) if isinstance(moments, tuple) else (None, None)
        self._prepare = RecordingPipeline(
            RATE, LENGTH, None, {} if self._takes_mfcc else None, mean, std, normalize == "clip", self._step
        )
        self._index = self._index[kept[parts == SPLITS.index(split)]]
        self.y = self.y[self._index]

    @property
    def pipeline(self) -> RecordingPipeline:
        """Turns a file into a sample."""
        return self._prepare

    def _check(self, **options: tuple[Any, tuple[Any, ...]]) -> None:
        for name, (value, known) in options.items():
            if value not in known:
                raise ValueError(
                    f"{self.info.name}: {name} must be {' or '.join(map(str, known))}, got {value!r}"
                )

    def _values(self, waves: MappedArray) -> tuple[MappedArray, float]:
        """Values of the samples, and their divisor."""
        return waves, FULL_SCALE


class SpeechCommandsRaw(_SpeechCommands):
    """Speech Commands as waveforms: 34,975 recordings of one second in 10 classes, at 16 kHz.

    The recordings are those of version 0.02 with exactly 16,000 samples: 70 % for training, half of the rest each for
    validation and testing, in the same proportions for every class. The draw depends only on the names of the files,
    so it is the same on every machine. As in the paper, it ignores who speaks; ``splitting="official"`` keeps the
    speakers apart.

    The archive (2.4 GB) or the folders of the words lie in ``root/speech_commands`` or in ``root`` itself; otherwise
    the archive is fetched. Recordings are read once, in parallel, into ``root/processed/speech_commands``, as 16-bit
    samples that stay on the disk (1.2 GB). They are normalised by one mean and deviation of the training set; the
    authors' code has one for each time step.

    Args:
        root: Folder of all data sets, or of the words.
        split: train, validation or test.
        download: Fetch the archive if needed.
        checksum: Digest of the archive ("published": the one that other loaders of this data set publish); None
            accepts any.
        transform: Applied to each signal ``[1, T]`` at every access. Only for training.
        check_counts: Insist on the paper's number of recordings of the paper's words. Without it, and for other
            words, the files are checked every time.
        words: Folders, in the order of the labels.
        clips: "drop" leaves out recordings that are not one second long, as in the paper; "pad" puts silence on both
            sides of shorter recordings and cuts both ends off longer ones.
        splitting: "paper" as above, or "official" by ``testing_list.txt`` and ``validation_list.txt``.
        normalize: False leaves samples in [-1, 1); "clip" normalises each recording by its own mean and deviation, so
            that loud and soft ones are alike.
        num_workers: Processes that read, 0 for none (default: by the number of files).
        rate: Samples per second, a divisor of 16000: every (16000 / rate)-th is kept, without a filter.

    Shapes:
        ``dataset[i]`` is ``(signal [1, rate], label)``, float32.

    Raises:
        ConnectionError: If the archive cannot be fetched; the message says which file to place where.
        FileNotFoundError: If there are neither words nor archive, and ``download`` is False.
        ValueError: For unknown options, a wrong digest or number of recordings, a damaged archive, or recordings
            that cannot be read, which are named.

    Example:
        >>> SpeechCommandsRaw.info.counts, SpeechCommandsRaw.info.size
        ({'train': 24482, 'validation': 5246, 'test': 5247}, (16000,))
        >>> train = SpeechCommandsRaw("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([1, 16000])
    """

    def __init__(
        self, root: str | PathLike[str], split: str = "train", *, rate: int = RATE, **kwargs: Any
    ) -> None:
        if rate < 1 or RATE % rate:
            raise ValueError(f"{self.info.name}: rate must divide {RATE}, got {rate}")
        self._step = RATE // rate
        super().__init__(root, split, **kwargs)


class SpeechCommandsHalf(SpeechCommandsRaw):
    """Speech-0.5x: every second sample of :class:`SpeechCommandsRaw`, for a model trained on all of them.

    The same recordings in the same splits, normalised by the same figures. Samples lie twice as far apart, so pass
    ``model(x, spacing=2 * spacing)``, with the spacing of the training.

    Args:
        rate: Samples per second, a divisor of 16000.
        **kwargs: As for :class:`SpeechCommandsRaw`, with the same errors.

    Shapes:
        ``dataset[i]`` is ``(signal [1, rate], label)``, float32.

    Example:
        >>> SpeechCommandsHalf.info.counts == SpeechCommandsRaw.info.counts, SpeechCommandsHalf.info.size
        (True, (8000,))
        >>> test = SpeechCommandsHalf("data", "test")  # doctest: +SKIP
        >>> test[0][0].shape  # doctest: +SKIP
        torch.Size([1, 8000])
    """

    info = replace(_INFO, name="speech_half", title="ten spoken words at half the rate", size=(LENGTH // 2,))

    def __init__(
        self, root: str | PathLike[str], split: str = "train", *, rate: int = RATE // 2, **kwargs: Any
    ) -> None:
        super().__init__(root, split, rate=rate, **kwargs)


class SpeechCommandsMFCC(_SpeechCommands):
    """Speech Commands as 20 mel-frequency cepstral coefficients, every 6.25 ms.

    Arguments (except ``rate``), errors and behaviour are those of :class:`SpeechCommandsRaw`. The coefficients are
    computed once by :class:`~ccnn_geo.transforms.mfcc.MFCC`, from samples in [-1, 1), and stored (0.5 GB). Each is
    normalised by its own mean and deviation over the training set.

    Shapes:
        ``dataset[i]`` is ``(signal [20, 161], label)``, float32.

    Example:
        >>> SpeechCommandsMFCC.info.in_channels, SpeechCommandsMFCC.info.size
        (20, (161,))
        >>> train = SpeechCommandsMFCC("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape  # doctest: +SKIP
        torch.Size([20, 161])
    """

    info = replace(
        _INFO,
        name="speech_mfcc",
        title="ten spoken words, mel-frequency cepstral coefficients",
        in_channels=20,
        size=(161,),
        prepared=5_200_000_000,
    )

    _takes_mfcc = True

    def _values(self, waves: MappedArray) -> tuple[MappedArray, float]:
        mfcc = MFCC()
        return prepare_mfcc(
            waves, mfcc, waves.path.with_name(f"{waves.path.stem}-mfcc-{digest(repr(mfcc))}.npy")
        ), 1.0


def _prepared(
    root: Path, words: tuple[str, ...], checked: bool, num_workers: int | None, folder: Callable[[], Path]
) -> Path:
    """Prepares the recordings of some words; with checked counts the files are needed only once."""
    target = root / "processed" / _INFO.folder / "ten_words"
    if checked and target.with_name("ten_words.npz").exists():
        return target
    total = sum(_INFO.counts.values())
    place = folder()
    files = list_recordings(place, words)
    if not checked:
        dates = stamps(files.paths)
        target = target.with_name(f"words-{digest(files.names, dates, files.official.tolist(), READING)}")

    def check(samples: np.ndarray) -> None:
        found = np.count_nonzero(samples == LENGTH)
        if checked and found != total:
            raise ValueError(
                f"{place}: {found} of {len(samples)} recordings of the words {', '.join(words)} have {LENGTH} samples, "
                f"expected {total}; check_counts=False accepts them"
            )

    if len(files.paths) < total:
        check(np.full(len(files.paths), LENGTH))  # before they are read
    columns: dict[str, Any] = {"name": files.names, "y": files.labels, "official": files.official}
    prepare_clips(files.paths, columns, ClipSettings(LENGTH, RATE), target, num_workers, check)
    return target
