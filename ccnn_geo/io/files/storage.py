"""Writes files that are complete or absent, whatever happens to the process."""

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from ccnn_geo.io.shapes.shape import ShapeError


@contextmanager
def exclusive(folder: Path, name: str) -> Iterator[None]:
    """Lets one process at a time prepare ``name`` in ``folder``; the others wait.

    The lock ends with its process, so a killed process leaves none. The lock file, hidden and empty, stays: a waiting
    process has it open, and without it a third process would lock a new file of the same name. A read-only folder has
    no lock, because its prepared files are complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_lock_path(folder, name))
    try:
        lock.acquire()
    except OSError:
        if os.access(folder, os.W_OK):
            raise
    try:
        yield
    finally:
        lock.release()


@contextmanager
def exclusive_if_free(folder: Path, name: str) -> Iterator[bool]:
    """Like :func:`exclusive`, without waiting; yields whether this process has the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_lock_path(folder, name))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def is_prepared(path: Path) -> bool:
    """Whether a file was prepared under :func:`exclusive`, with its lock beside it, and is not a user's own."""
    return any(_lock_path(path.parent, name).exists() for name in (path.name, f"{path.stem}.npz"))


def write_atomic(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file under another name and renames it when it is on disk.

    Both names are in the same folder: a reader sees the old file or the new one.

    Raises:
        OSError: If it cannot be written, for instance because the disk is full; names the file, which stays unchanged.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    try:
        with _named(target), temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def link_atomic(source: Path, target: Path) -> None:
    """Gives a file a second name, or copies it where the file system has no hard links; replaces an existing file.

    Raises:
        OSError: If it cannot be written; names the file, which stays unchanged.
    """
    temporary = _beside(target)
    try:
        try:
            os.link(source, temporary)
        except OSError:  # FAT and some network file systems
            shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)  # renaming one hard link to another leaves both


def remove_unfinished(folder: Path) -> None:
    """Removes unfinished files of killed processes from a folder that no other process writes to."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def remove_abandoned(folder: Path, held: str) -> None:
    """Removes unfinished files of killed processes from a folder where files are written under :func:`exclusive`.

    Files that differ only in their extension are written under one lock.

    Args:
        folder: The folder; other processes may write to it.
        held: The name that this process has locked; other unfinished files are removed if their locks are free.
    """
    locks = [path.name[1:].removesuffix(".lock") for path in folder.glob(".*.lock")]
    for path in folder.glob(".*.tmp"):
        stem = path.name[1:].rsplit(".", 3)[0]  # .STEM.EXTENSION.PROCESS.tmp
        if stem == Path(held).stem:
            path.unlink(missing_ok=True)
            continue
        own = [name for name in locks if Path(name).stem == stem]
        with ExitStack() as stack:
            free = [stack.enter_context(exclusive_if_free(folder, name)) for name in own]
            if free and all(free):  # a file without a lock is written in another way
                path.unlink(missing_ok=True)


def _lock_path(folder: Path, name: str) -> Path:
    return folder / f".{name}.lock"


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Adds the name of the file to an error, which a full disk does not report; writers may hide even the cause."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__context__
        if cause is None or cause.errno is None or cause.filename is not None:
            raise
        raise OSError(cause.errno, f"cannot be written: {cause.strerror}", str(target)) from error


def read_arrays(target: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads arrays from an ``.npz`` file that :func:`write_atomic` wrote; never loads pickles.

    Raises:
        ValueError: If the file is damaged, or lacks an array.
    """
    from ccnn_geo.io.shapes.arrays import read_member  # writing weights needs no reader of shapes

    try:
        with zipfile.ZipFile(target) as archive:
            size = target.stat().st_size
            return {
                name: read_member(target, archive, archive.getinfo(f"{name}.npy"), size) for name in names
            }
    except (FileNotFoundError, PermissionError):
        raise
    except ShapeError as error:  # our own, which says enough
        raise ValueError(
            f"{target}: the stored points are damaged ({error}); remove this file to create it again"
        ) from error
    except (
        Exception
    ) as error:  # damaged archives raise many types: BadZipFile, zlib.error, EOFError, KeyError
        raise ValueError(
            f"{target}: the stored points are damaged, expected a whole .npz of {', '.join(names)}; remove this file "
            f"to create it again"
        ) from error
