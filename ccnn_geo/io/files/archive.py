"""Unpack archives of strangers."""

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

_DAMAGES = (
    *(EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(NotImplementedError, RuntimeError, struct.error, OverflowError, LookupError),
)
"""What the libraries raise on damaged archives; RuntimeError if a member is encrypted."""

_DAMAGED = "{}: damaged archive, or one with a password, expected a whole .zip or .tar (.gz, .bz2, .xz)"

_LARGEST_HEADER = 2**20
"""Bytes that a name in a tar may take, and what it is read in at a time."""


class UnsafeArchiveError(ValueError):
    """An archive holds something that has no place in a data set; nothing of it was unpacked."""


def extract(archive: Path, folder: Path, max_bytes: int = 64 * 2**30, inner: str = "") -> None:
    """Unpack a .zip or .tar(.gz, .bz2, .xz) into a folder, plain files and folders only.

    All names are checked before anything is written.

    Args:
        archive: the file; its content, not its name, says what it is.
        folder: where the members go; created if needed.
        max_bytes: the most that all members together may take.
        inner: folder of the archive to which to keep; the rest is checked, but not written.

    Raises:
        UnsafeArchiveError: for absolute names, names with ``..``, links, devices, or too many bytes.
        ValueError: if it is neither a zip nor a tar file, is damaged, or has no folder ``inner``.
    """
    try:
        _extract(archive, folder, max_bytes, PurePosixPath(inner).parts)
    except ValueError as error:  # of the libraries some as well
        if str(error).startswith(f"{archive}: "):
            raise
        raise ValueError(_DAMAGED.format(archive)) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # of the disk, and not of what is in the archive
            raise
        raise ValueError(_DAMAGED.format(archive)) from error
    except _OversizedError as error:
        raise ValueError(f"{archive}: damaged archive, {error}") from error
    except _DAMAGES as error:
        raise ValueError(_DAMAGED.format(archive)) from error


def _extract(archive: Path, folder: Path, max_bytes: int, inner: tuple[str, ...]) -> None:
    with _members(archive) as members:
        total = 0
        for name, size, is_plain, open_member in members:
            parts = PurePosixPath(name.replace("\\", "/")).parts
            if not parts and open_member is None:  # "./": the target itself
                continue
            if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0]:
                raise UnsafeArchiveError(f"{archive}: member {name!r} points outside of the target folder")
            if not is_plain:
                raise UnsafeArchiveError(
                    f"{archive}: member {name!r} is a link or a device, expected plain files"
                )
            total += size
            if total > max_bytes:
                raise UnsafeArchiveError(f"{archive}: holds more than {max_bytes} bytes (up to {name!r})")
        wanted = [
            (name.replace("\\", "/"), open_member)
            for name, _, _, open_member in members
            if PurePosixPath(name.replace("\\", "/")).parts[: len(inner)] == inner
        ]
        if inner and not wanted:
            found = sorted({part for name, *_ in members for part in PurePosixPath(name).parts[:1]})
            raise ValueError(f"{archive}: holds {found}, expected a folder {'/'.join(inner)!r}")
        for name, open_member in wanted:
            target = folder / name
            if open_member is None:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, 2**20)


def extract_atomic(archive: Path, inner: str, target: Path) -> None:
    """Unpack an archive and keep its folder ``inner`` as ``target``, which is complete or absent.

    Raises:
        UnsafeArchiveError: as :func:`extract`.
        ValueError: if it is damaged, or has no such folder.
    """
    unpacked = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(unpacked, ignore_errors=True)  # of a process that was killed
    try:
        extract(archive, unpacked, inner=inner)
        if not (unpacked / inner).is_dir():
            raise ValueError(f"{archive}: {inner!r} is a file, expected a folder")
        os.replace(unpacked / inner, target)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


@contextmanager
def _members(archive: Path) -> Iterator[list]:
    """Rows (name, bytes, plain file or folder, function that opens it or None for a folder)."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as handle:
            yield [
                (m.filename, m.file_size, _is_plain(m), None if m.is_dir() else _opener(handle.open, m))
                for m in handle.infolist()
            ]
    else:
        with _decompressed(archive) as file, _open_tar(archive, file) as handle:
            members = handle.getmembers()
            file.seek(handle.offset)
            if file.read(tarfile.BLOCKSIZE).strip(b"\0") or file.tell() < handle.offset + tarfile.BLOCKSIZE:
                # at a header that is damaged or missing tarfile stops as at the end
                raise ValueError(
                    f"{archive}: truncated or damaged behind {len(members)} members, expected the end"
                )
            while file.read(2**20):  # to the checksum of what is compressed
                pass
            yield [
                (
                    m.name,
                    m.size,
                    (m.isfile() and not m.issparse()) or m.isdir(),
                    _opener(handle.extractfile, m) if m.isfile() else None,
                )
                for m in members
            ]


class _OversizedError(tarfile.ReadError):
    """A header that claims more than there may be."""


class _Careful(io.RawIOBase):
    """A file of which no more is read at a time than a header may have, whatever that claims."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if size > _LARGEST_HEADER:
            raise _OversizedError(f"a header of {size} bytes, expected at most {_LARGEST_HEADER}")
        return self._file.read(size)


def _open_tar(archive: Path, file: BinaryIO) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=_Careful(file), mode="r:")
    except _OversizedError:
        raise
    except tarfile.ReadError as error:
        with archive.open("rb") as raw:
            start = raw.read(16)
        raise ValueError(
            f"{archive}: neither a zip nor a tar file, or a damaged one, it begins with {start!r}"
        ) from error


def _decompressed(archive: Path) -> BinaryIO:
    with archive.open("rb") as file:
        start = file.read(6)
    for magic, opened in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open)):
        if start.startswith(magic):
            return cast("BinaryIO", opened(archive))
    return archive.open("rb")


def _opener(open_member: Callable, member: object) -> Callable[[], IO[bytes]]:
    return lambda: open_member(member)


def _is_plain(member: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)
    return kind in (0, stat.S_IFREG, stat.S_IFDIR)
