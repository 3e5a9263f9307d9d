"""Progress of a long preparation: a bar on a terminal, occasional lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any

EVERY = 30.0
"""Seconds between two lines of a log."""
DELAY = 1.0
"""Seconds before a bar appears."""


class LogLines:
    """Counts items as ``tqdm`` does, in lines; a bar redraws itself and would fill a file or pipe.

    Args:
        items: The items to iterate over, or None to call :meth:`update`.
        desc: Title of the work.
        total: Number of items, if known.
        initial: Items done before.
        unit: ``B`` for bytes, shown in MB.
    """

    def __init__(
        self,
        items: Iterable[Any] | None = None,
        desc: str = "",
        total: int | None = None,
        initial: int = 0,
        unit: str = "",
    ) -> None:
        self.items, self.title, self.count, self.unit = items, desc, initial, unit
        self.total = len(items) if total is None and isinstance(items, Sized) else total
        self._started = self._told = time.monotonic()
        self._shown: int | None = None

    def __enter__(self) -> LogLines:
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown not in (None, self.count):  # a log with a first line needs a last one
            self._tell()

    def __iter__(self) -> Iterator[Any]:
        with self:
            for item in self.items or ():
                yield item
                self.update()

    def update(self, n: int = 1) -> None:
        """Counts ``n`` more items."""
        self.count += n
        if time.monotonic() - self._told >= EVERY:
            self._tell()

    def _tell(self) -> None:
        self._told, self._shown = time.monotonic(), self.count
        share = (
            f" of {self._number(self.total)} ({100 * self.count / self.total:.0f} %)" if self.total else ""
        )
        seconds = self._told - self._started
        text = f"{self.title}: {self._number(self.count)}{share}, {seconds:.0f} s"
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def _number(self, count: int) -> str:
        return f"{count / 1e6:.1f} MB" if self.unit == "B" else f"{count:,}"


def progress(
    items: Iterable[Any] | None = None, *, title: str, total: int | None = None, **kwargs: Any
) -> Any:
    """Reports progress on the error output once the work takes long.

    Args:
        items: The items to iterate over; None if the caller calls ``update(n)``.
        title: Title of the work.
        total: Number of items, if known and not given by ``items``.
        kwargs: ``initial`` and ``unit``, as for ``tqdm``.

    Returns:
        The items, or an object for a ``with`` statement.

    Example:
        >>> sum(progress(range(4), title="numbers"))
        6
    """
    if not sys.stderr.isatty():
        return LogLines(items, title, total, **kwargs)
    from tqdm import tqdm  # comes with torch-geometric

    return tqdm(items, title, total, delay=DELAY, unit_scale="unit" in kwargs, **kwargs)
