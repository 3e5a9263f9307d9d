"""Files that are complete or absent, whatever happens to the process that writes them."""

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

    The lock goes with the process: one that is killed leaves no lock behind. Its file, hidden and empty, stays: a
    process that waits has it open, and a third would lock a new one of that name at the same time. In a folder that
    may only be read there is no lock, for what is prepared there is whole.
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
    """As :func:`exclusive`, but does not wait; says whether it is this process that may."""
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
    """Whether a file was prepared under :func:`exclusive`, whose lock lies beside it, and is none of a user."""
    return any(_lock_path(path.parent, name).exists() for name in (path.name, f"{path.stem}.npz"))


def write_atomic(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file under another name and renames it when it is on the disk.

    In the same folder: a reader sees the old file or the new one.

    Raises:
        OSError: Names the file, which stays as it was; for instance if the disk is full.
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
    """Gives a file a second name, or copies it where the file system has one name for each; replaces what was there.

    Raises:
        OSError: Names the file, which stays as it was.
    """
    temporary = _beside(target)
    try:
        try:
            os.link(source, temporary)
        except OSError:  # FAT and some network file systems
            shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)  # of two names of one file a rename leaves both


def remove_unfinished(folder: Path) -> None:
    """Removes what killed processes were writing; for a folder into which no other process writes."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def remove_abandoned(folder: Path, held: str) -> None:
    """Removes what killed processes were writing, for a folder whose files are each written under :func:`exclusive`.

    Files of the same name but for the extension are written under one lock.

    Args:
        folder: Into which other processes may write.
        held: The name whose lock this process has; of others what is written goes where their locks are free.
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
            if free and all(free):  # without a lock the file is written in another way
                path.unlink(missing_ok=True)


def _lock_path(folder: Path, name: str) -> Path:
    return folder / f".{name}.lock"


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Says which file could not be written, which a full disk alone does not; writers may hide even that."""
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
    """Arrays of an ``.npz`` file that :func:`write_atomic` made; pickles are never loaded.

    Raises:
        ValueError: If the file is damaged, or lacks one of them.
    """
    from ccnn_geo.io.shapes.arrays import read_member  # who writes weights needs no reader of shapes

    try:
        with zipfile.ZipFile(target) as archive:
            size = target.stat().st_size
            return {
                name: read_member(target, archive, archive.getinfo(f"{name}.npy"), size) for name in names
            }
    except (FileNotFoundError, PermissionError):
        raise
    except ShapeError as error:  # ours, which says what is wrong
        raise ValueError(
            f"{target}: the stored points are damaged ({error}); remove this file to have it made again"
        ) from error
    except Exception as error:  # damaged archives raise anything: BadZipFile, zlib.error, EOFError, KeyError
        raise ValueError(
            f"{target}: the stored points are damaged, expected a whole .npz of {', '.join(names)}; remove this file "
            f"to have it made again"
        ) from error
