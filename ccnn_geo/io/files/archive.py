"""Unpacks untrusted archives."""

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar, cast

Member = TypeVar("Member", tarfile.TarInfo, zipfile.ZipInfo)

_COMPRESSED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))

_LARGEST_HEADER = 2**20
"""Most bytes of a name in a tar, and of a single read."""


class UnsafeArchiveError(ValueError):
    """An archive holds something that does not belong in a data set; nothing of it was unpacked."""


def extract(archive: Path, folder: Path, max_bytes: int = 64 * 2**30, inner: str = "") -> None:
    """Unpacks a .zip or .tar(.gz, .bz2, .xz) into a folder, plain files and folders only.

    All names are checked before anything is written.

    Args:
        archive: The file; its content, not its name, decides the format.
        folder: Target folder; created if needed.
        max_bytes: Most bytes of all members together.
        inner: Folder of the archive to keep; the rest is checked, but not written.

    Raises:
        UnsafeArchiveError: For absolute names, names with ``..``, links, devices, or too many bytes.
        ValueError: If the file is neither a zip nor a tar file, is damaged, or has no folder ``inner``.
    """
    parts = PurePosixPath(inner).parts
    try:
        with ExitStack() as opened:
            if zipfile.is_zipfile(archive):
                packed = opened.enter_context(zipfile.ZipFile(archive))
                packed.extractall(folder, _checked(archive, packed.infolist(), max_bytes, parts))
            else:
                tape = _open_tar(archive, opened)
                tape.extractall(folder, _checked(archive, tape.getmembers(), max_bytes, parts))
    except (
        Exception
    ) as error:  # damaged archives raise many types: EOFError, zlib.error, struct.error, KeyError
        on_disk = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
        if on_disk or isinstance(error, MemoryError) or str(error).startswith(f"{archive}: "):
            raise
        raise ValueError(
            f"{archive}: damaged archive, or one with a password, expected a whole .zip or .tar (.gz, .bz2, .xz), "
            f"got {error}"
        ) from error


def _checked(
    archive: Path, members: Sequence[Member], max_bytes: int, inner: tuple[str, ...]
) -> list[Member]:
    """The members to write, under names with slashes; checks all of them."""
    wanted, total = [], 0
    for member in members:
        name, size, kind = _about(member)
        path = PurePosixPath(name.replace("\\", "/"))
        if not path.parts and kind == "folder":  # "./": the target itself
            continue
        if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise UnsafeArchiveError(f"{archive}: member {name!r} points outside of the target folder")
        if not kind:
            raise UnsafeArchiveError(
                f"{archive}: member {name!r} is a link or a device, expected plain files"
            )
        total += size
        if total > max_bytes:
            raise UnsafeArchiveError(f"{archive}: holds more than {max_bytes} bytes (up to {name!r})")
        if isinstance(member, tarfile.TarInfo):
            member.name, member.mode = name.replace("\\", "/"), 0o755 if kind == "folder" else 0o644
        else:
            member.filename = name.replace("\\", "/")
        if path.parts[: len(inner)] == inner:
            wanted.append(member)
    if inner and not wanted:
        found = sorted({part for m in members for part in PurePosixPath(_about(m)[0]).parts[:1]})
        raise ValueError(f"{archive}: holds {found}, expected a folder {'/'.join(inner)!r}")
    return wanted


def _about(member: tarfile.TarInfo | zipfile.ZipInfo) -> tuple[str, int, str]:
    """Name, bytes, and ``file``, ``folder`` or an empty string for anything else."""
    if isinstance(member, tarfile.TarInfo):
        plain = member.isfile() and not member.issparse()
        return member.name, member.size, "folder" if member.isdir() else "file" if plain else ""
    plain = stat.S_IFMT(member.external_attr >> 16) in (0, stat.S_IFREG, stat.S_IFDIR)
    return member.filename, member.file_size, "" if not plain else "folder" if member.is_dir() else "file"


def extract_atomic(archive: Path, inner: str, target: Path) -> None:
    """Unpacks an archive and keeps its folder ``inner`` as ``target``, all or nothing.

    Raises:
        UnsafeArchiveError: As :func:`extract`.
        ValueError: If the archive is damaged, or has no such folder.
    """
    unpacked = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(unpacked, ignore_errors=True)  # left by a killed process
    try:
        extract(archive, unpacked, inner=inner)
        if not (unpacked / inner).is_dir():
            raise ValueError(f"{archive}: {inner!r} is a file, expected a folder")
        os.replace(unpacked / inner, target)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


class _Careful(io.RawIOBase):
    """A file that limits each read to the largest allowed header, whatever the archive claims."""

    def __init__(self, file: BinaryIO) -> None:
        self.tell, self.seek, self._file = file.tell, file.seek, file  # type: ignore[method-assign]

    def read(self, size: int = -1) -> bytes:
        if size > _LARGEST_HEADER:
            raise ValueError(f"a header of {size} bytes, expected at most {_LARGEST_HEADER}")
        return self._file.read(size)


def _open_tar(archive: Path, opened: ExitStack) -> tarfile.TarFile:
    """A tar, read to its end, so that all compressed data have passed their checksum."""
    with archive.open("rb") as file:
        start = file.read(16)
    way = next((way for magic, way in _COMPRESSED if start.startswith(magic)), open)
    content = opened.enter_context(cast("BinaryIO", way(archive, "rb")))
    try:
        tape = opened.enter_context(tarfile.open(fileobj=_Careful(content), mode="r:"))  # noqa: SIM115  # the stack closes it
    except tarfile.ReadError as error:
        raise ValueError(
            f"{archive}: neither a zip nor a tar file, or a damaged one, it begins with {start!r}"
        ) from error
    number = len(tape.getmembers())
    content.seek(tape.offset)
    if content.read(tarfile.BLOCKSIZE).strip(b"\0") or content.tell() < tape.offset + tarfile.BLOCKSIZE:
        # at a damaged or missing header tarfile stops as if at the end
        raise ValueError(f"{archive}: truncated or damaged behind {number} members, expected the end")
    while content.read(2**20):
        pass
    tape.extraction_filter = getattr(tarfile, "data_filter", None)  # since Python 3.10.12 and 3.11.4
    return tape
