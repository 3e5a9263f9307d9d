"""LAZ: the compressed points of a LAS file; lazrs decompresses them after the file's claims were checked.

lazrs allocates as many chunks and bytes as tables in the file claim, and without that memory the process dies. Points
come in pieces, so that a damaged file fails before they fill memory.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ccnn_geo._base.extras import needs

LARGEST_RATIO = 10_000
"""Most bytes of points per byte of the file: identical points have 3,500, scans 3 to 20."""

_POINTS_AT_ONCE = 1 << 18
_LAYERS = {6: 9, 7: 10, 8: 11, 9: 10, 10: 12}
"""Parts of a chunk, by point format; one more for each extra byte of a point."""


class LasHeader(NamedTuple):
    """A sound header: point format, bytes of a point, extra bytes among them, number of points, where they start."""

    kind: int
    length: int
    extra: int
    num_points: int
    start: int
    compressed: bool
    scale: np.ndarray
    offset: np.ndarray


def decompress(path: Path, header: LasHeader) -> bytearray:
    """The points of a compressed file as LAS stores them; errors as in :func:`decompressed`."""
    points = bytearray()
    for some in decompressed(path, header):
        points += some
    return points


def decompressed(path: Path, header: LasHeader, at_once: int = _POINTS_AT_ONCE) -> Iterator[bytearray]:
    """Yields the points of a compressed file as LAS stores them, in pieces.

    Raises:
        ImportError: If lazrs is missing.
        ValueError: If the file is damaged, or claims more than :data:`LARGEST_RATIO` bytes per byte.
    """
    with needs("data", "read_las"):
        import lazrs
    kind, length, extra, count, start = header[:5]
    done, size = 0, count * length
    layers = _LAYERS[kind] + extra if kind in _LAYERS else 0
    try:
        found = path.stat().st_size - start
        if size > LARGEST_RATIO * found:
            raise ValueError(f"{found} bytes, fewer than one per {LARGEST_RATIO} bytes of points")
        with path.open("rb") as file:
            record = _record(file.read(start), lazrs.LazVlr.new_for_compression(kind, extra).record_data())
            _check_chunks(file, start, lazrs, record, layers, length, count)
            file.seek(start)
            reader = lazrs.LasZipDecompressor(file, record) if size else None
            while reader and done < size:
                some = bytearray(min(at_once * length, size - done))
                reader.decompress_many(some)
                done += len(some)
                yield some
    except GeneratorExit:  # the reader stopped
        raise
    except BaseException as error:
        on_disk = isinstance(error, OSError) and error.errno is not None
        damaged = isinstance(error, lazrs.LazrsError | OSError | ValueError | struct.error)
        # at some damage lazrs panics, which is not an Exception, and prints to stderr
        if on_disk or not (damaged or type(error).__name__ == "PanicException"):
            raise
        raise ValueError(
            f"{path}: damaged or truncated, expected {count} compressed points of {length} bytes, got {error}"
        ) from error


def _record(head: bytes, usual: bytes) -> bytes:
    """The record behind the header that describes the compression, with the fields of ``usual``."""
    place, left = struct.unpack_from("<H", head, 94)[0], struct.unpack_from("<I", head, 100)[0]
    while left and place + 54 <= len(head):
        name, size = struct.unpack_from("<2x16s2xH", head, place)
        if name.startswith(b"laszip encoded"):
            record = head[place + 54 : place + 54 + size]
            if _fields(record) != _fields(usual):
                raise ValueError(f"the fields {_fields(record)}, not {_fields(usual)}")
            return record
        place, left = place + 54 + size, left - 1
    raise ValueError("no record 'laszip encoded' behind the header")


def _fields(record: bytes) -> list[tuple[int, int]]:
    """Type and size of the compressed fields; their versions may differ."""
    number = struct.unpack_from("<H", record, 32)[0]
    return [struct.unpack_from("<HH", record, 34 + 6 * i) for i in range(number)]


def _check_chunks(
    file: BinaryIO, start: int, lazrs: Any, record: bytes, layers: int, length: int, count: int
) -> None:
    """Checks that the chunks between byte ``start`` and their table hold ``count`` points, and that their parts fit."""
    way, vlr = struct.unpack_from("<H", record)[0], lazrs.LazVlr(record)
    if way != (3 if layers else 2) and (layers or way != 1):
        raise ValueError(f"unknown compression {way}")
    if way == 1 or count == 0:  # one chunk, without a table
        return
    end = file.seek(0, 2)
    table = _unpack(file, start, "<q")[0]
    if table <= start:  # the writer could not seek back
        table = _unpack(file, end - 8, "<q")[0]
    number = _unpack(file, table, "<4xI")[0] if start < table < end else 0
    if not 0 < number * length <= table - start - 8:  # each chunk begins with an uncompressed point
        raise ValueError(f"a table of {number} chunks at byte {table} of {end}")
    file.seek(start)
    chunks, place = lazrs.read_chunk_table(file, vlr), start + 8
    if vlr.uses_variable_size_chunks():
        held = sum(points for points, _ in chunks)
    else:
        held = count if number * vlr.chunk_size() >= count > (number - 1) * vlr.chunk_size() else -1
    if held != count or place + sum(size for _, size in chunks) != table:
        raise ValueError(f"chunks of {chunks[:3]} ... points and bytes up to byte {table}")
    for points, size in chunks if layers else ():
        parts = sum(_unpack(file, place + length + 4, f"<{layers}I")) if points else 0
        if points and length + 4 + 4 * layers + parts != size:
            raise ValueError(f"parts of {parts} bytes in a chunk of {size}")
        place += size


def _unpack(file: BinaryIO, place: int, form: str) -> tuple:
    file.seek(place)
    return struct.unpack(form, file.read(struct.calcsize(form)))
