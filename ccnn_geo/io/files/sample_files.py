"""Decides which files of a folder are samples, by one rule for all data sets of folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import category

from ccnn_geo.io.files.left_out import BESIDE, DEEPER, NOWHERE, list_names, told_counts
from ccnn_geo.io.files.notices import say_once

_HIDDEN = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
        *("__macosx", "__pycache__", "@eadir", "#recycle", "$recycle.bin", "lost+found"),
        "system volume information",
    }
)
_DOCUMENTS = frozenset(
    {
        *("readme", "license", "licence", "copying", "notice", "authors", "credits"),
        *("citation", "changelog", "notes", "about", "checksums", "md5sums", "sha256sums"),
    }
)
"""Names, without extension, of files that describe a data set."""

_BREAKING = ("Cc", "Zl", "Zp")
"""Categories of characters that end a line or control a terminal."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder belongs to a system, an editor or a file manager, not to a data set.

    Example:
        >>> [is_hidden(name) for name in ("._cat.png", "~$table.csv", "Thumbs.db", "@eaDir", "cat.png")]
        [True, True, True, True, False]
    """
    # Zone.Identifier: Windows marks downloads in this stream; other systems store it as a file
    return name.startswith((".", "~$")) or name.casefold() in _HIDDEN or name.endswith(":Zone.Identifier")


@dataclass(frozen=True)
class FileKind:
    """The files that a data set reads.

    Args:
        name: Name of its samples, in the plural.
        extensions: Extensions of its files, in lower case; upper case is accepted too.
        companions: Extensions, or other endings of names, of files that belong to samples, such as textures of meshes.
        deep: Whether files in subfolders are samples.
        second: Extensions of files that are samples only in a folder without any of the others; beside those they
            would be notes or tables.
        others: Endings of names that another data set reads, with a name for such files.
        with_targets: Whether a table of targets may lie beside them, see :mod:`~ccnn_geo.io.target_table`.
    """

    name: str
    extensions: Collection[str]
    companions: Collection[str] = ()
    deep: bool = False
    second: Collection[str] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    with_targets: bool = False

    def told_as(self, name: str) -> str:
        """The name of a skipped file in messages, by its ending or extension."""
        return next((end for end in self.others if name.lower().endswith(end)), Path(name).suffix.lower())

    @property
    def all_extensions(self) -> tuple[str, ...]:
        """Extensions of all files that are read."""
        return (*self.extensions, *self.second)


@dataclass(frozen=True)
class Listing:
    """The files of a folder.

    Args:
        paths: Samples, by name.
        left_out: Other files by reason (see :mod:`~ccnn_geo.io.files.left_out`), without hidden ones, companions or
            documents.
    """

    paths: list[Path]
    left_out: Counter[str]


def list_samples(folder: Path, kind: FileKind, above: frozenset[str] = frozenset()) -> Listing:
    """Lists the samples of a folder; ignores hidden files and folders.

    Args:
        folder: The folder, with its subfolders if the kind is ``deep``.
        kind: The files that are read.
        above: Real paths of the folders above this one, to which a link may lead back.

    Raises:
        OSError: If the folder cannot be listed.
    """
    paths, second, left_out = [], list[Path](), Counter[str]()
    above |= {os.path.realpath(folder)}
    for entry in _visible(folder):
        path = folder / entry.name
        extension = path.suffix.lower()
        if entry.is_dir():
            if os.path.realpath(path) in above:
                continue
            found = list_samples(path, kind, above) if kind.deep else Listing([], _files_below(path))
            paths += found.paths
            left_out += found.left_out
        elif not entry.is_file():
            left_out[NOWHERE] += 1
        elif entry.name.lower().endswith(tuple(kind.companions)):
            continue
        elif extension in kind.extensions:
            paths.append(path)
        elif path.stem.casefold() in _DOCUMENTS:
            continue
        elif extension in kind.second:
            second.append(path)
        else:
            left_out[kind.told_as(entry.name)] += 1
    if paths:
        left_out.update(kind.told_as(path.name) for path in second)
    return Listing(sorted(paths or second), left_out)


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not is_hidden(entry.name)]


def _files_below(folder: Path) -> Counter[str]:
    count = 0
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        count += sum(not is_hidden(name) for name in files)
    return Counter({DEEPER: count} if count else {})


def class_samples(
    folders: Mapping[str, Path], kind: FileKind, beside: bool = True, root: Path | None = None
) -> list[tuple[Path, int]]:
    """Lists samples and the number of their class, class by class; warns, in one line, about skipped files.

    Args:
        folders: The folder of each class, side by side.
        kind: The files that are read.
        beside: Whether files beside these folders were skipped, too.
        root: The folder to name in the warning; by default the parent of the class folders.

    Raises:
        ValueError: If a class has no samples.
    """
    listings = {name: list_samples(folder, kind) for name, folder in folders.items()}
    for name, found in listings.items():
        if not found.paths:
            others = told_counts(found.left_out) or "no other files"
            raise ValueError(f"{folders[name]}: no {kind.name}, expected {_expected(kind)}, got {others}")
    left_out = {name: found.left_out for name, found in listings.items()}
    parent = root or next(iter(folders.values())).parent
    loose = beside and sum(
        e.is_file() and Path(e.name).suffix.lower() in kind.extensions for e in _visible(parent)
    )
    if loose:
        left_out[""] = Counter({BESIDE: loose})
    samples = [(path, label) for label, found in enumerate(listings.values()) for path in found.paths]
    tell_left_out(parent, len(samples), left_out, kind)
    return samples


def tell_left_out(folder: Path, taken: int, left_out: Mapping[str, Counter[str]], kind: FileKind) -> None:
    """Warns, in one line, about files that are not samples: how many, why, and in which class folders.

    Args:
        folder: The folder that contains them.
        taken: Number of samples.
        left_out: Files by reason, for each class; the empty name holds those outside all class folders.
        kind: The files that are read.
    """
    places = [name for name, count in left_out.items() if name and count]
    inside = told_counts(sum((left_out[name] for name in places), Counter[str]()))
    if inside:
        inside += f" (in the folder{'s' * (len(places) > 1)} {list_names(places)})"
    told = [text for text in (inside, told_counts(left_out.get("", Counter()))) if text]
    if told:
        reasons = sum(left_out.values(), Counter[str]())
        used = dict.fromkeys(about for end, about in kind.others.items() if reasons[end])
        said = "; ".join([*told, *used])
        say_once(f"{folder}: {taken} {kind.name}; left out: {said}; expected {_expected(kind, reasons)}")


def _expected(kind: FileKind, left_out: Collection[str] = ()) -> str:
    """Extensions of samples; secondary ones count only if there are no others."""
    if not any(reason.endswith(tuple(kind.second)) for reason in left_out):
        return " ".join(kind.all_extensions)
    return f"{' '.join(kind.extensions)}, or without any of these {' '.join(kind.second)}"


def printable(name: str) -> str:
    r"""A name that can be printed on one line and stored, whatever its bytes are.

    Example:
        >>> printable("caf\udce9.off"), printable("two\nlines")
        ('caf\\udce9.off', 'two\\nlines')
    """
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c.encode("unicode_escape").decode() if category(c) in _BREAKING else c for c in text)


def cannot_open(path: Path, error: OSError) -> str:
    """A message that the system cannot open a file, or one beside it that the error names, and why.

    Example:
        >>> cannot_open(Path("a.png"), PermissionError(13, "Permission denied"))
        'a.png: cannot be opened (Permission denied), expected a file that can be read'
    """
    reason = error.strerror or "no reason given"
    return f"{error.filename or path}: cannot be opened ({reason}), expected a file that can be read"


def stamps(paths: Iterable[Path]) -> list[tuple[int, int]]:
    """Size and date of each file, which reveal changes."""
    return [(s.st_size, s.st_mtime_ns) for s in (path.stat() for path in paths)]
