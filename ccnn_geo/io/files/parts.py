"""Work shared by several processes: the number of this process, and a file of records that it adds to."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

PROCESSES = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"))
"""Variables in which torchrun and SLURM give the number of this process and their count."""

_HEAD = struct.Struct("<QQ?")
_SUM = struct.Struct("<I")


def process_of(environment: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """The number of this process, and how many were started together.

    Raises:
        ValueError: If the environment contradicts itself.

    Example:
        >>> process_of({}), process_of({"RANK": "1", "WORLD_SIZE": "4"})
        ((0, 1), (1, 4))
    """
    for rank, size in PROCESSES:
        if rank in environment and size in environment:
            given = environment[rank], environment[size]
            if not all(text.isdecimal() for text in given) or int(given[0]) >= int(given[1]):
                raise ValueError(
                    f"{rank} is {given[0]!r} and {size} {given[1]!r}, expected whole numbers, the first below"
                )
            return int(given[0]), int(given[1])
    return 0, 1


def part_path(folder: Path, rank: int, size: int, ending: str) -> Path:
    """The file of one process."""
    return folder / f"part-{rank}-of-{size}{ending}"


def part_paths(folder: Path, ending: str) -> list[Path]:
    """All files of processes that exist, for any number of processes."""
    return sorted(folder.glob(f"part-*-of-*{ending}"))


class Place(NamedTuple):
    """The place of a record in its file.

    Args:
        number: Number of the item that it is the result for.
        start: First byte of its content.
        length: Bytes of its content.
        is_error: Whether it reports an error.
    """

    number: int
    start: int
    length: int
    is_error: bool

    @property
    def end(self) -> int:
        """The first byte behind the record."""
        return self.start + self.length + _SUM.size


class RecordFile:
    """Numbered records in a file that one process adds to, while others may read it.

    Each record has a checksum. A killed process leaves at most the beginning of a record, which the next writer
    removes.

    Args:
        path: The file; it may not exist yet.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records = RecordFile(Path(folder, "part"))
        ...     with records.open_to_add() as file:
        ...         records.add(file, 7, b"seven")
        ...     [(place.number, records.content(place)) for place in records.places()]
        [(7, b'seven')]
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def open_to_add(self) -> FileIO:
        """Opens the file behind the last valid record; cuts off anything after it."""
        file = self.path.open("r+b" if self.path.exists() else "w+b", buffering=0)
        end = 0
        for place in _places(file):
            if _content(file, place) is None:
                break
            end = place.end
        file.truncate(end)
        file.seek(end)
        return file

    def add(self, file: FileIO, number: int, content: bytes, is_error: bool = False) -> None:
        """Adds a record; once this returns, the record survives the end of the process."""
        head = _HEAD.pack(number, len(content), is_error)
        rest = memoryview(head + content + _SUM.pack(zlib.crc32(content, zlib.crc32(head))))
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise OSError(error.errno, f"cannot be written: {error.strerror}", str(self.path)) from error

    def places(self, start: int = 0) -> Iterator[Place]:
        """Yields the records from byte ``start`` on, as far as they are written; none if there is no file."""
        try:
            with self.path.open("rb") as file:
                yield from _places(file, start)
        except FileNotFoundError:
            return

    def content(self, place: Place) -> bytes:
        """The content of a record.

        Raises:
            ValueError: If it is damaged.
        """
        with self.path.open("rb") as file:
            found = _content(file, place)
        if found is None:
            raise ValueError(f"{self.path}: record {place.number} is damaged; start again")
        return found


def _places(file: BinaryIO | FileIO, start: int = 0) -> Iterator[Place]:
    size = os.fstat(file.fileno()).st_size
    while start + _HEAD.size <= size:
        file.seek(start)
        number, length, is_error = _HEAD.unpack(file.read(_HEAD.size))
        place = Place(number, start + _HEAD.size, length, is_error)
        if place.end > size:
            return
        yield place
        start = place.end


def _content(file: BinaryIO | FileIO, place: Place) -> bytes | None:
    """The content; None if its checksum differs."""
    file.seek(place.start - _HEAD.size)
    head, content, stored = file.read(_HEAD.size), file.read(place.length), file.read(_SUM.size)
    return content if stored == _SUM.pack(zlib.crc32(content, zlib.crc32(head))) else None
