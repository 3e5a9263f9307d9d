"""The files of Speech Commands: folders of words, lists, and the split of each recording."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ccnn_geo.datasets.base.info import DataFile
from ccnn_geo.io.files.archive import extract_atomic
from ccnn_geo.io.files.download import fetch
from ccnn_geo.io.files.sample_files import class_samples
from ccnn_geo.io.files.storage import exclusive
from ccnn_geo.io.recording import RECORDINGS

SPLITS = ("train", "validation", "test")
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
"""The publisher's lists of the recordings of a split, one a line; recordings in neither are for training."""

_UNKNOWN = 255


class Recordings(NamedTuple):
    """Files in the order of their words and names.

    Args:
        paths: The files.
        names: ``word/file.wav``.
        labels: The word of each, ``[N]``.
        official: Its published split, an index of :data:`SPLITS`, or 255 without the lists, ``[N]``.
    """

    paths: list[Path]
    names: list[str]
    labels: np.ndarray
    official: np.ndarray


def check_words(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the words as a tuple.

    Raises:
        ValueError: Unless there are two or more, all different, each the name of a folder.
    """
    found = () if isinstance(words, str) else tuple(words)
    if len(set(found)) < max(2, len(found)) or any(Path(w).name != w for w in found):
        raise ValueError(f"words: expected two or more names of folders, all different, got {words!r}")
    return found


def ensure_words(
    root: Path, folder: str, words: Sequence[str], file: DataFile, download: bool, checksum: str | None
) -> Path:
    """Returns the folder with a folder for each word; unpacks the archive if there is none.

    Raises:
        ConnectionError: If the archive cannot be fetched.
        FileNotFoundError: If there is none, and ``download`` is False.
        ValueError: If some of the words are missing, or for a damaged archive or a wrong digest.
    """
    home = root / folder
    unpacked = home / file.path.removesuffix(".tar.gz")
    archive = next((p / file.path for p in (home, root) if (p / file.path).exists()), home / file.path)
    if found := _find(words, (unpacked, home, root)):
        return found
    if not archive.exists() and not download:
        raise FileNotFoundError(
            f"no folders {', '.join(words)} in {unpacked}, {home} or {root}, and no {archive}; place the published "
            f"archive there ({file.url}), or use download=True"
        )
    with exclusive(home, unpacked.name):
        if not unpacked.is_dir():  # unless another process was faster
            fetch(file.url, archive, checksum)
            extract_atomic(archive, ".", unpacked)
    if found := _find(words, (unpacked,)):
        return found
    raise ValueError(f"{archive}: no folders of {', '.join(words)}")


def _find(words: Sequence[str], folders: Sequence[Path]) -> Path | None:
    for folder in folders:
        missing = [word for word in words if not (folder / word).is_dir()]
        if not missing:
            return folder
        if len(missing) < len(words):
            raise ValueError(f"{folder}: no folders of the words {', '.join(missing)}")
    return None


def list_recordings(folder: Path, words: Sequence[str]) -> Recordings:
    """Lists all recordings of some words.

    Raises:
        ValueError: If a word has none, or a list is not text.
    """
    paths, labels = zip(
        *class_samples({word: folder / word for word in words}, RECORDINGS, beside=False), strict=True
    )
    names = [f"{path.parent.name}/{path.name}" for path in paths]
    return Recordings(list(paths), names, np.array(labels), _official(folder, names))


def _official(folder: Path, names: Sequence[str]) -> np.ndarray:
    lists = {split: folder / name for split, name in LISTS.items()}
    if not all(path.is_file() for path in lists.values()):
        return np.full(len(names), _UNKNOWN, np.uint8)
    part = {}
    for split, path in lists.items():
        try:
            part.update(dict.fromkeys(path.read_text("utf-8").split(), SPLITS.index(split)))
        except UnicodeDecodeError as error:
            found = error.object[error.start : error.start + 8]
            raise ValueError(f"{path}: expected text, a name on each line, got {found!r}") from error
    return np.array([part.get(name, 0) for name in names], np.uint8)


def split_of(
    names: Sequence[str] | np.ndarray, labels: np.ndarray, official: np.ndarray | None
) -> np.ndarray:
    """Returns the split of each recording ``[N]``, as an index of :data:`SPLITS`.

    Args:
        names: ``word/file.wav``.
        labels: The word of each, ``[N]``.
        official: Published splits, ``[N]``; None draws 70 % for training and half of the rest for each of the others,
            in the same proportions for every word (to within one recording). The draw depends only on the names.

    Raises:
        ValueError: If the published lists are missing, or leave a split empty.
    """
    if official is None:
        parts = _drawn(names, labels)
    elif (official == _UNKNOWN).any():
        raise ValueError(
            f"splitting='official' needs {' and '.join(LISTS.values())} beside the folders of words"
        )
    else:
        parts = official
    for index, split in enumerate(SPLITS):
        if not (parts == index).any():
            raise ValueError(f"no recordings for {split} among {len(names)}")
    return parts


def _drawn(names: Sequence[str] | np.ndarray, labels: np.ndarray) -> np.ndarray:
    lots = np.array([hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest() for name in names])
    place = np.empty(len(names))  # rank of a recording among those of its word, in (0, 1)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        place[members[np.argsort(lots[members])]] = (np.arange(len(members)) + 0.5) / len(members)
    order = np.lexsort((labels, place))
    train = 7 * len(names) // 10
    validation = (len(names) - train) // 2
    parts = np.full(len(names), 2, np.uint8)
    parts[order[:train]], parts[order[train : train + validation]] = 0, 1
    return parts
