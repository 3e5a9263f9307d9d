"""Damages files at random and reads them with every reader of the package.

    python -m ccnn_geo.experiments.fuzz.fuzz_readers --files 20000

Small valid files of every format (``fuzz_formats``) are cut, spliced and bent (``fuzz_mutations``). A reader must
return a sound result, or raise ``ValueError`` (:class:`~ccnn_geo.io.ShapeError` for shapes): no other error, no
warning, within 5 s of the processor and 512 MB (2 GB for TIFF and WebP, where few bytes may mean many pixels). Each
file depends only on the seed, the format and its number. The command prints the outcomes by format, and ends with 1 if
a reader fails.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import logging
import os
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

from ccnn_geo.experiments.fuzz.fuzz_format import Format
from ccnn_geo.experiments.fuzz.fuzz_formats import FORMATS
from ccnn_geo.experiments.fuzz.fuzz_mutations import mutate
from ccnn_geo.io import MissingPoints

SECONDS = 5.0
OUTCOMES = ("read", "refused", "unsound", "raised", "hung", "memory")
"""The first two are as they should be."""


class Hung(BaseException):
    """The time is up; not an ``Exception``, because readers catch these."""


@dataclass
class Tally:
    """Outcomes of one format, and the files whose reader failed: number, outcome, message."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    broken: list[tuple[int, str, str]] = field(default_factory=list)


@cache
def _valid(name: str) -> list[bytes]:
    return FORMATS[name].files()


def damaged(name: str, number: int, seed: int) -> bytes:
    """Returns the damaged file of a format with a number."""
    random = Random(f"{seed} {name} {number}")
    others = _valid(name) if random.random() < 0.8 else _valid(random.choice(list(FORMATS)))
    return mutate(random.choice(_valid(name)), others, random)


def fuzz(files: int, seed: int, names: Sequence[str] = tuple(FORMATS)) -> dict[str, Tally]:
    """Reads ``files`` damaged files, the same number of each format."""
    tallies = {name: Tally() for name in names}
    memory = Path("/dev/shm")  # spares the disk
    with (
        tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder,
        limited_time() as clock,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", MissingPoints)  # about clouds that are read without them
        # networks are read too, and on Python 3.13 torch-geometric reads their types in a deprecated way
        types = "Failing to pass a value to the 'type_params' parameter"
        warnings.filterwarnings("ignore", types, DeprecationWarning, r"torch_geometric\.inspector")
        for name in names:
            path, tally = Path(folder) / f"damaged{FORMATS[name].suffix}", tallies[name]
            _valid(name)
            FORMATS[name].read(_write(path, _valid(name)[0]))  # imports modules before the clock starts
            start = time.process_time()
            with limited_memory(FORMATS[name].megabytes * 2**20):
                for number in range(names.index(name), files, len(names)):
                    _write(path, damaged(name, number, seed))
                    outcome, what = _outcome(FORMATS[name], path, clock)
                    tally.counts[outcome] += 1
                    if outcome not in OUTCOMES[:2]:
                        tally.broken.append((number, outcome, what))
            tally.seconds = time.process_time() - start
    return tallies


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _outcome(kind: Format, path: Path, clock: Callable[[float], object]) -> tuple[str, str]:
    try:
        clock(SECONDS)
        try:
            found = kind.read(path)
        finally:
            clock(0)
        return ("read", "") if kind.sound(found) else ("unsound", repr(found)[:200])
    except Hung:
        return "hung", f"more than {SECONDS} s"
    except BaseException as error:
        chain: list[BaseException] = [error]
        while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
            chain.append(cause)
        if any(isinstance(e, MemoryError) for e in chain):
            return "memory", repr(error)[:200]
        if any(isinstance(e, Hung) for e in chain):
            return "hung", repr(error)[:200]
        return ("refused", "") if isinstance(error, kind.error) else ("raised", repr(error)[:200])


@contextlib.contextmanager
def limited_time() -> Iterator[Callable[[float], object]]:
    """A clock of processor time, which a busy machine does not disturb."""

    def stop(*_: object) -> None:
        raise Hung

    before = signal.signal(signal.SIGPROF, stop)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_PROF, seconds)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def limited_memory(extra: int) -> Iterator[None]:
    """Limits the further memory of the process to a number of bytes, if the system can tell its memory."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        yield
        return
    used = int(statm.read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = used + extra
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def report(tallies: dict[str, Tally], keep: Path | None = None, seed: int = 0) -> str:
    """A table of outcomes, and the files that broke a reader, stored in a folder if one is given."""
    lines = [f"{'format':<11}" + "".join(f"{name:>9}" for name in (*OUTCOMES, "ms/file"))]
    total, seconds = Counter[str](), 0.0
    for name, tally in tallies.items():
        lines.append(_row(name, tally.counts, tally.seconds))
        total, seconds = total + tally.counts, seconds + tally.seconds
    lines.append(_row("all", total, seconds))
    for name, tally in tallies.items():
        for number, outcome, what in tally.broken:
            lines.append(f"{name} {number}: {outcome}: {what}")
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                suffix = FORMATS[name].suffix
                _write(keep / f"{name.replace(' ', '_')}_{number}{suffix}", damaged(name, number, seed))
    return "\n".join(lines)


def _row(name: str, counts: Counter[str], seconds: float) -> str:
    cells = "".join(f"{counts[outcome]:9d}" for outcome in OUTCOMES)
    return f"{name:<11}{cells}{1000 * seconds / max(1, counts.total()):9.2f}"


def main(argv: list[str] | None = None) -> int:
    """Prints the table; returns 1 if a reader raised another error, hung, or took too much memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS), metavar="FORMAT")
    parser.add_argument("--keep", type=Path, help="A folder for the files that broke a reader.")
    args = parser.parse_args(argv)
    logging.disable()  # messages of libraries about damaged files
    # a decoder in C does not react to signals
    faulthandler.dump_traceback_later(3600, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        tallies = fuzz(args.files, args.seed, args.formats)
    finally:
        faulthandler.cancel_dump_traceback_later()
        logging.disable(logging.NOTSET)
    print(report(tallies, args.keep, args.seed))
    return int(any(tally.broken for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
