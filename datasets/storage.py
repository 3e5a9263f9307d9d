"""Files that are complete or absent, whatever happens to the process that writes them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

try:
    import fcntl
except ImportError:  # not on Windows: there, two processes would do the same work twice
    fcntl = None


@contextmanager
def exclusive(folder: Path, name: str) -> Iterator[None]:
    """Lets one process at a time prepare ``name`` in ``folder``; the others wait.

    The lock goes with the process: one that is killed leaves no lock behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("a") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_atomic(target: Path, write: Callable[[BinaryIO], None]) -> None:
    """Writes a file under another name and renames it when it is on the disk.

    In the same folder: a reader sees the old file or the new one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def read_arrays(target: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays of an ``.npz`` file that :func:`write_atomic` made; pickles are never loaded.

    Raises:
        ValueError: If the file is damaged, or lacks one of them.
    """
    try:
        with target.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except Exception as error:  # damaged archives raise anything: BadZipFile, zlib.error, EOFError, KeyError
        raise ValueError(
            f"{target}: the stored points are damaged ({type(error).__name__}: {error}); remove this file to have "
            f"it made again"
        ) from error
