"""Many files -> one stored file. Each is converted once, by any number of processes, even if some are killed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from ccnn_geo.datasets.base.digests import digest
from ccnn_geo.datasets.base.workers import mapper, useful
from ccnn_geo.io.files.grouped_errors import group_errors
from ccnn_geo.io.files.parts import Place, RecordFile, part_path, part_paths, process_of
from ccnn_geo.io.files.progress import progress
from ccnn_geo.io.files.sample_files import cannot_open
from ccnn_geo.io.files.storage import exclusive, exclusive_if_free, remove_abandoned

Arrays = Mapping[str, np.ndarray]
"""The result of one file; numbers only, because safetensors holds nothing else."""

SECONDS_BETWEEN_LOOKS = 0.2
"""Time between checks by a process that waits for others to finish their parts, or to end."""
_ENDING = ".records"
_BYTES_A_WORKER = 2**25


class Results:
    """Results of files, in their order: arrays, or an error message; read on request."""

    def __init__(self, places: Mapping[int, tuple[RecordFile, Place]]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Arrays | str]:
        for i in range(len(self)):
            yield self.result(i)

    def result(self, index: int) -> Arrays | str:
        """Returns one result."""
        records, place = self._places[index]
        content = records.content(place)
        return content.decode("utf-8", "surrogatepass") if place.is_error else load(content)

    @property
    def errors(self) -> list[str]:
        """The error messages, in the order of the files."""
        return [str(self.result(i)) for i in range(len(self)) if self._places[i][1].is_error]

    def arrays(self, noun: str) -> Iterator[Arrays]:
        """Yields all arrays, one file at a time, if there are no errors.

        Args:
            noun: The files, in the plural, for the message.

        Raises:
            ValueError: If some files cannot be used; lists them by the kind of error.
        """
        refuse(self.errors, len(self), noun)
        return (found for found in self if not isinstance(found, str))


def packed(names: Iterable[str]) -> np.ndarray:
    """Packs words into numbers, as bytes of JSON.

    Example:
        >>> unpacked(packed(["wind", "rain"]))
        ['wind', 'rain']
    """
    return np.frombuffer(json.dumps(list(names)).encode(), np.uint8)


def unpacked(stored: np.ndarray) -> list[str]:
    """Unpacks the words of :func:`packed`."""
    return list(json.loads(stored.tobytes()))


def refuse(errors: Sequence[str], total: int, noun: str) -> None:
    """Raises ValueError if there are errors; each error begins with the name of a file."""
    if len(errors) == 1:
        raise ValueError(errors[0])
    if errors:
        shown = "\n  ".join(group_errors(errors))
        raise ValueError(f"{len(errors)} of {total} {noun} cannot be used:\n  {shown}")


def convert(
    function: Callable[..., Arrays | str],
    columns: Sequence[Sequence[object]],
    target: Path,
    merge: Callable[[Results], None],
    *,
    title: str,
    num_workers: int | None = 0,
    is_there: Callable[[], bool] | None = None,
) -> None:
    """Converts files and merges the results, unless the target exists.

    Each process takes a share of the files, every n-th where torchrun or SLURM has started n processes. It keeps its
    results in a folder beside the target. It then takes over shares that other processes have left or not begun, and
    waits for those in progress. The first process that finds everything done merges the results.

    Args:
        function: Maps the path of a file and further arguments to arrays, or to an error message. With workers it
            must be importable by name. A ValueError or OSError also counts as an error message.
        columns: Paths, and one sequence for each further argument.
        target: The file written last; once it exists, all is done.
        merge: Writes the target; the same for the same results, whichever process made them.
        title: Name of the work, for the progress bar.
        num_workers: Extra processes; None chooses by the size of the files.
        is_there: Tells whether all is done, if the target alone does not.

    Raises:
        ValueError: From ``merge``, or if another process has found files that cannot be used.
        ImportError, RuntimeError: From workers, see :func:`~ccnn_geo.datasets.base.workers.mapper`.
    """
    is_there = is_there or target.exists
    paths = [Path(str(path)) for path in columns[0]]
    states = [_state(path) for path in paths]
    if num_workers is None:
        num_workers = useful(sum(size for size, _ in states) // _BYTES_A_WORKER)
    key = digest([path.name for path in paths], states)
    parts = _Parts(target.with_name(f".{target.name}.parts"), key, len(paths))
    if not is_there():
        parts.fill(partial(_convert_rows, partial(_tried, function), columns, num_workers, title))
    with exclusive(target.parent, target.name):
        try:
            if not is_there():
                if not parts.are_complete():
                    raise ValueError(
                        f"{target}: another process found files that cannot be used, and lists them"
                    )
                remove_abandoned(target.parent, target.name)
                merge(Results(parts.places))
        except ValueError:  # about the files: once they have changed, none of this holds
            parts.remove()
            raise
        parts.remove()


class _Parts:
    """Shares of all processes, in a folder that is removed when they are merged, or cannot be."""

    def __init__(self, folder: Path, key: str, total: int) -> None:
        self.folder, self.total = folder, total
        self.places: dict[int, tuple[RecordFile, Place]] = {}
        self._ending = f"-{key}{_ENDING}"
        self._begun = folder / f"begun-{key}"
        self._read: dict[Path, int] = {}

    def are_complete(self) -> bool:
        """Whether all files are converted; reads what other processes have added."""
        for path in part_paths(self.folder, self._ending):
            records = RecordFile(path)
            for place in records.places(self._read.get(path, 0)):
                self.places[place.number] = records, place
                self._read[path] = place.end
        return len(self.places) == self.total and self._begun.exists()

    def fill(self, run: Callable[[Sequence[int]], Iterable[tuple[bytes, bool]]]) -> None:
        """Converts shares that no other process works on, until all are done or another process merges or gives up."""
        rank, size = process_of()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._begun.touch()
        while not self.are_complete():
            for part in ((rank + i) % size for i in range(size)):
                with exclusive_if_free(self.folder, f"part-{part}-of-{size}") as is_free:
                    if not self._begun.exists():
                        return
                    if is_free:
                        self._fill_part(run, part, size)
            if not self.are_complete():
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def _fill_part(
        self, run: Callable[[Sequence[int]], Iterable[tuple[bytes, bool]]], part: int, size: int
    ) -> None:
        records = RecordFile(part_path(self.folder, part, size, self._ending))
        self.are_complete()
        rest = [i for i in range(part, self.total, size) if i not in self.places]
        if not rest:
            return
        with records.open_to_add() as file:
            for number, (content, is_error) in zip(rest, run(rest), strict=True):
                records.add(file, number, content, is_error)

    def remove(self) -> None:
        """Removes the folder; Windows keeps locks that are open."""
        self._begun.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def _convert_rows(
    function: Callable[..., tuple[bytes, bool]],
    columns: Sequence[Sequence[object]],
    num_workers: int,
    title: str,
    rows: Sequence[int],
) -> Iterator[tuple[bytes, bool]]:
    with mapper(num_workers) as map_, progress(total=len(rows), title=title) as bar:
        for result in map_(function, *([column[i] for i in rows] for column in columns)):
            bar.update()
            yield result


def _tried(function: Callable[..., Arrays | str], path: Path, *row: object) -> tuple[bytes, bool]:
    """The result of a file, arrays or an error message, as it is stored."""
    try:
        found = function(path, *row)
    except ValueError as error:
        found = str(error)
    except OSError as error:
        found = cannot_open(path, error)
    if isinstance(found, str):
        return found.encode("utf-8", "surrogatepass"), True
    return save({name: np.asarray(array, order="C") for name, array in found.items()}), False


def _state(path: Path) -> tuple[int, int]:
    """Size and date; 0 for a missing file, which its conversion will report."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
