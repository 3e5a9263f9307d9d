"""Film reviews (Maas et al., 2011), read letter by letter: Text of the Long Range Arena."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import Tensor

from ccnn_geo.datasets.base.conversion import Results, convert
from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.datasets.base.splits import stratified_split
from ccnn_geo.datasets.text.tokens import (
    SPECIALS,
    UNKNOWN,
    Ragged,
    TokenDataset,
    Vocabulary,
    load_tokens,
    save_tokens,
)
from ccnn_geo.io.files.archive import extract_atomic
from ccnn_geo.io.files.download import fetch
from ccnn_geo.io.files.storage import exclusive

CLASSES = ("neg", "pos")
PER_CLASS = 12_500
LEVELS = {"character": "utf-8", "byte": "latin-1"}
"""Encoding that cuts a review into tokens. In Latin-1 every byte is a letter."""

_NAME = re.compile(r"(\d+)_(\d+)\.txt")


class IMDBText(TokenDataset):
    """IMDb film reviews, 25,000 for training and 25,000 for testing, half of them approving; one token per letter.

    Reads ``root/imdb/aclImdb/{train,test}/{neg,pos}/<id>_<rating>.txt``, or the archive ``aclImdb_v1.tar.gz`` there,
    which is fetched if needed. The ids of all reviews are stored in ``root/processed/imdb``, a byte each; then the
    files are no longer needed.

    The vocabulary is that of the official training half: letters that occur 15 times or more in the used part of its
    reviews, the most frequent first; 134 tokens with the special ones. It is stored with the reviews and
    does not depend on the test half or on held-out reviews. Every review is cut to 4,095 letters, closed by ``<eos>``
    and padded on the left.

    Validation holds out a share of the training half, the same from each class. (The benchmark, and the authors'
    released code, validate on the test set.) ``validation_fraction=0`` trains on all 25,000.

    Args:
        root: Folder of all data sets.
        split: "train", "validation" or "test".
        download: Fetch the archive if needed.
        checksum: Digest that the archive must have; "published" is the md5 that several libraries publish.
        transform: Applied to each sample at every access.
        representation: "one_hot", "ids" or "raw", see :class:`~ccnn_geo.datasets.text.tokens.TokenDataset`.
        max_length: Length of every sample.
        level: "character", or "byte" for the bytes of UTF-8.
        min_freq: Rarer tokens count as unknown.
        validation_fraction: Share of the training half to hold out.
        check_counts: Insist on 12,500 reviews in each folder.

    Shapes:
        ``dataset[i]`` is ``([134, 4096], 0 or 1)``, see :class:`~ccnn_geo.datasets.text.tokens.TokenDataset`.

    Raises:
        ConnectionError: If the archive cannot be fetched; the message says which file to place where.
        FileNotFoundError: If it is missing and ``download`` is False.
        ValueError: For an unknown split or option, files that are not reviews, or another number of them.

    Example:
        >>> IMDBText.info.counts, IMDBText.info.size
        ({'train': 22500, 'validation': 2500, 'test': 25000}, (4096,))
        >>> train = IMDBText("data", "train")  # doctest: +SKIP
        >>> train[0][0].shape, train.classes  # doctest: +SKIP
        (torch.Size([134, 4096]), ['neg', 'pos'])
    """

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="text",
        title="LRA Text: IMDb film reviews, letter by letter",
        family="sequence",
        in_channels=134,
        size=(4096,),
        classes=2,
        counts={"train": 22_500, "validation": 2_500, "test": 25_000},
        folder="imdb",
        files=(
            DataFile(
                "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                "aclImdb_v1.tar.gz",
                "md5:7c2ac02c03563afcf9b574c7e56c153a",
                84_125_825,
            ),
        ),
        prepared=470_000_000,
        many_files=True,
        source="Maas et al., 2011; Tay et al., 2021 (Long Range Arena); appendix B",
    )

    def __init__(
        self,
        root: str | PathLike[str],
        split: str = "train",
        *,
        download: bool = True,
        checksum: str | None = "published",
        transform: Callable[[Tensor], Tensor] | None = None,
        representation: str = "one_hot",
        max_length: int = 4096,
        level: str = "character",
        min_freq: int = 15,
        validation_fraction: float = 0.1,
        check_counts: bool = True,
    ) -> None:
        splits = tuple(self.info.counts) if validation_fraction else ("train", "test")
        if split not in splits:
            raise ValueError(f"{self.info.name} has the splits {', '.join(splits)}, got {split!r}")
        if level not in LEVELS:
            raise ValueError(f"level: expected one of {', '.join(LEVELS)}, got {level!r}")
        root = Path(root).expanduser()
        processed = root / "processed" / self.info.folder
        settings = (max_length, level, min_freq)

        def prepared(half: str, vocabulary: Vocabulary | None) -> Path:
            stored = processed / f"text-{half}-{digest(*settings)}.npz"
            if check_counts and stored.exists():
                return stored
            folder = _folder(root, self.info, download, checksum) / half
            paths, y = list_reviews(folder, PER_CLASS if check_counts else None)
            if not check_counts:  # the key includes the files
                files = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
                key = digest(*settings, files, vocabulary)
                stored = processed / f"text-{half}-unchecked-{key}.npz"
            if not stored.exists():
                _prepare(stored, paths, y, vocabulary, max_length, level, min_freq)
            return stored

        tokens, y, vocabulary = load_tokens(prepared("train", None))
        if split == "test":
            tokens, y, vocabulary = load_tokens(prepared("test", vocabulary))
        super().__init__(tokens, y, CLASSES, vocabulary, max_length, representation, transform)
        if split != "test" and validation_fraction:
            keep, held_out = stratified_split(self.y, validation_fraction)
            index = keep if split == "train" else held_out
            self._index, self.y = index, self.y[index]


def _folder(root: Path, info: DatasetInfo, download: bool, checksum: str | None) -> Path:
    """Returns the folder of the unpacked archive."""
    home, file = root / info.folder, info.files[0]
    with exclusive(home, "aclImdb"):
        for folder in (home / "aclImdb", root / "aclImdb"):
            if folder.is_dir():
                return folder
        archive = home / file.path
        if not archive.exists() and not download:
            raise FileNotFoundError(
                f"neither {home / 'aclImdb'} nor {archive} exists; place {file.url} there, or use download=True"
            )
        fetch(file.url, archive, file.checksum if checksum == "published" else checksum)
        extract_atomic(archive, "aclImdb", home / "aclImdb")
    return home / "aclImdb"


def list_reviews(folder: Path, per_class: int | None = None) -> tuple[list[Path], np.ndarray]:
    """Lists files ``{neg,pos}/<id>_<rating>.txt`` of a half, by class and id.

    Args:
        folder: ``aclImdb/train`` or ``aclImdb/test``.
        per_class: Number of files in each folder; None accepts any but none.

    Shapes:
        N paths and labels ``[N]`` uint8: 0 for neg, 1 for pos.

    Raises:
        ValueError: For another number of files, unexpected names, or a rating that contradicts the folder.
        FileNotFoundError: If the folder does not exist.
    """
    paths, y = [], []
    for label, name in enumerate(CLASSES):
        if not (folder / name).is_dir():
            raise FileNotFoundError(
                f"no {folder / name}; place it there, or remove {folder.parent} to unpack it again"
            )
        found = {}
        for path in (folder / name).glob("*.txt"):
            match = _NAME.fullmatch(path.name)
            if match is None or (int(match[2]) > 5) != bool(label):
                raise ValueError(
                    f"{path}: expected <id>_<rating>.txt with a rating {'above' if label else 'up to'} 5"
                )
            found[int(match[1]), int(match[2])] = path
        if not found or (per_class is not None and len(found) != per_class):
            raise ValueError(
                f"{folder / name}: {len(found)} reviews, expected {per_class or 'some'}; remove {folder.parent} to "
                f"unpack it again, or accept a part of it with check_counts=False"
            )
        paths += [found[key] for key in sorted(found)]
        y += [label] * len(found)
    return paths, np.array(y, dtype=np.uint8)


def _prepare(
    target: Path,
    paths: Sequence[Path],
    y: np.ndarray,
    vocabulary: Vocabulary | None,
    max_length: int,
    level: str,
    min_freq: int,
) -> None:
    def merge(found: Results) -> None:
        points = Ragged.of([review["letters"] for review in found.arrays("reviews")], np.dtype(np.uint32))
        known = _frequent(points.values, min_freq) if vocabulary is None else vocabulary
        id_of = np.full(int(points.values.max(initial=0)) + 1, UNKNOWN, known.dtype)
        for i, symbol in enumerate(known.symbols, len(SPECIALS)):
            if ord(symbol) < len(id_of):
                id_of[ord(symbol)] = i
        save_tokens(target, Ragged(id_of[points.values], points.offset), y, known)

    columns = (paths, [LEVELS[level]] * len(paths), [max_length - 1] * len(paths))
    convert(stored_review, columns, target, merge, title=f"text {target.stem.split('-')[1]}")


def _frequent(letters: np.ndarray, min_freq: int) -> Vocabulary:
    """Letters that occur at least ``min_freq`` times, the most frequent first."""
    counts = np.bincount(letters, minlength=1)
    counts[0] = 0  # NUL cannot be stored as a string; no review has it
    order = np.argsort(-counts, kind="stable")  # Unicode order among equally frequent letters
    return Vocabulary(tuple(map(chr, order[counts[order] >= max(min_freq, 1)])))


def stored_review(path: Path, encoding: str, length: int) -> dict[str, np.ndarray]:
    """Reads the first letters of a review."""
    return {"letters": read_letters(path, encoding)[:length]}


def read_letters(path: Path, encoding: str) -> np.ndarray:
    """Reads the code points ``[T]`` of a text."""
    try:
        return np.frombuffer(path.read_bytes().decode(encoding).encode("utf-32-le"), np.uint32)
    except UnicodeDecodeError as error:
        found = error.object[error.start : error.start + 8]
        raise ValueError(
            f"{path}: expected UTF-8, got {found!r} at byte {error.start}; level='byte' reads any bytes"
        ) from error
