"""The base of reproductions: jobs that run once, a folder of results, a report that compares with the paper.

A study is a list of jobs. Each job is a training or a measurement with one seed and ends in a few numbers, which are
written when it ends. So an interrupted study continues with the next job, and a finished one does nothing. A job has
a folder for checkpoints that survives an interruption.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import torch

from ccnn_geo.experiments.engine.provenance import commit, fingerprints
from ccnn_geo.io.files.storage import exclusive, write_atomic

SCALES = {
    "small": "20 minutes on two cores",
    "paper": "the settings of the paper",
    "full": "everything, within three hours on two cores",
    "ablations": "the effect of each component",
}
"""The scales of studies, with their help."""
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """Options of a study."""

    scale: str
    root: Path | None
    seeds: tuple[int, ...]

    @property
    def data_root(self) -> Path:
        """``root`` for a study that needs data; :func:`run_study` requires it."""
        if self.root is None:
            raise FileNotFoundError("expected --root FOLDER")
        return self.root


@dataclass(frozen=True)
class Job:
    """One piece of a study: ``run(folder)`` returns its numbers, as plain values for JSON."""

    name: str
    run: Callable[[Path], Numbers]


@dataclass(frozen=True)
class Study:
    """A table or figure of the paper.

    Args:
        name: Name of the command.
        title: Subject, in one line.
        source: Place in the paper.
        jobs: Lists its jobs; raises ``ValueError`` or ``FileNotFoundError`` if the data is not as expected.
        report: Writes pictures into a folder and returns the report's body, from the jobs' numbers by name.
        data: Required content of ``--root``; empty if no data is needed.
        seeds: Default number of seeds.
        scales: Keys of :data:`SCALES`.
    """

    name: str
    title: str
    source: str
    jobs: Callable[[Options], Sequence[Job]]
    report: Callable[[Mapping[str, Numbers], Options, Path], str]
    data: str = ""
    seeds: int = 1
    scales: Sequence[str] = ("small", "paper")


def run_study(
    study: Study,
    options: Options,
    out: Path,
    again: bool = False,
    say: Callable[[str], None] = print,
    workers: int = 1,
) -> Path:
    """Runs the missing jobs of a study, and writes ``results.json``, ``report.md`` and pictures.

    Args:
        study: The study.
        options: Its scale, data and seeds.
        out: Its folder, for one scale and one kind of data; seeds may be added later.
        again: Whether finished jobs run again.
        say: Called with a line per job.
        workers: Number of jobs at once; they share the cores.

    Returns:
        The report.

    Raises:
        FileNotFoundError: If the study needs data and there is none.
        ValueError: If the folder belongs to another study, scale or data.
    """
    if study.data and options.root is None:
        raise FileNotFoundError(f"{study.name}: expected --root FOLDER with {study.data}")
    if options.root is not None and not options.root.exists():
        raise FileNotFoundError(f"{study.name}: --root {options.root} does not exist")
    if workers < 1:
        raise ValueError(f"{study.name}: expected 1 worker or more, got {workers}")
    jobs = list(study.jobs(options))
    with exclusive(out, "study"), _cores_among(workers), ThreadPoolExecutor(workers) as pool:
        data = _claim(study, options, out)
        for job in jobs if again else ():
            shutil.rmtree(out / "jobs" / job.name, ignore_errors=True)
            (out / "jobs" / f"{job.name}.json").unlink(missing_ok=True)
        stopped = Event()
        started = [pool.submit(_do, job, out / "jobs", say, stopped) for job in jobs]
        try:
            numbers = {job.name: future.result() for job, future in zip(jobs, started, strict=True)}
        finally:
            stopped.set()
        body = study.report(numbers, options, out)
        about = _about(study, options, numbers, data)
        write_atomic(out / "results.json", partial(_write, {**about, "jobs": numbers}))
        text = f"# {study.name}: {study.title}\n\n{study.source}\n\n{body.strip()}\n\n{_provenance(about)}\n"
        write_atomic(out / "report.md", lambda file: file.write(text.encode()))
    return out / "report.md"


def mean_and_deviation(values: Sequence[float], digits: int = 1) -> str:
    """``mean``, or for several values ``mean ± standard deviation``."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def main(
    study: Study,
    argv: Sequence[str] | None = None,
    parser_class: type[argparse.ArgumentParser] = argparse.ArgumentParser,
) -> None:
    """Runs the command of a study."""
    parser = parser_class(
        prog=f"ccnn-geo reproduce {study.name}",
        description=f"{study.title[0].upper()}{study.title[1:]}. {study.source}",
    )
    scales = "; ".join(f"{name}: {SCALES[name]}" for name in study.scales)
    parser.add_argument("--scale", choices=study.scales, default="small", help=scales)
    parser.add_argument("--root", type=Path, help=study.data or "not needed")
    parser.add_argument("--out", type=Path, help="results/NAME-SCALE by default")
    seeds = list(range(study.seeds))
    shown = f"default: {' '.join(map(str, seeds))}"
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds, help=shown)
    parser.add_argument("--workers", type=int, default=1, help="jobs at once, which share the cores")
    parser.add_argument("--again", action="store_true", help="run finished jobs again")
    args = parser.parse_args(argv)
    out = args.out or Path("results") / f"{study.name}-{args.scale}"
    root = None if args.root is None else args.root.expanduser()
    report = run_study(
        study, Options(args.scale, root, tuple(args.seeds)), out, args.again, workers=args.workers
    )
    print(f"\n{report.read_text()}\n{report}")


def _do(job: Job, folder: Path, say: Callable[[str], None], stopped: Event) -> Numbers:
    """Returns the numbers of a job, from its file if it is done; starts none after another one has failed."""
    target = folder / f"{job.name}.json"
    if target.exists():
        say(f"{job.name}: done before")
        return json.loads(target.read_text())
    if stopped.is_set():
        raise CancelledError(f"{job.name} was not begun")
    (folder / job.name).mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    try:
        found = {**job.run(folder / job.name), "commit": commit()}
    except BaseException:
        stopped.set()
        raise
    found["minutes"] = round((time.perf_counter() - start) / 60, 2)
    write_atomic(target, partial(_write, found))
    say(f"{job.name}: {_line(found)}")
    return found


@contextmanager
def _cores_among(workers: int) -> Iterator[None]:
    """Gives every job its share of the threads; ``training_job`` passes it on to its process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // workers))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _claim(study: Study, options: Options, out: Path) -> dict[str, str]:
    """Keeps results of different settings apart, and returns fingerprints of the data. Data may be added later."""
    data = {} if options.root is None else fingerprints(options.root)
    given = {"study": study.name, "scale": options.scale, "data": data}
    target = out / "settings.json"
    if target.exists():
        stored = json.loads(target.read_text())
        shared = stored["data"].keys() & data.keys()
        same = all(stored["data"][name] == data[name] for name in shared)
        same &= bool(shared) or not (stored["data"] or data)
        if not same or any(stored[key] != given[key] for key in ("study", "scale")):
            raise ValueError(f"{out} holds results of {stored}, expected {given}; choose another --out")
        given["data"] = {**stored["data"], **data}
    write_atomic(target, partial(_write, given))
    return data


def _about(
    study: Study, options: Options, numbers: Mapping[str, Numbers], data: Mapping[str, str]
) -> Numbers:
    return {
        "study": study.name,
        "scale": options.scale,
        "seeds": list(options.seeds),
        "commits": sorted({n["commit"] for n in numbers.values()}),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "data": dict(data),
        "minutes": round(sum(n["minutes"] for n in numbers.values()), 1),
    }


def _provenance(about: Numbers) -> str:
    data = "".join(f"{name} {digest}, " for name, digest in about["data"].items())
    return (
        f"Scale {about['scale']}, seeds {about['seeds']}, {data}{about['minutes']} minutes; torch "
        f"{about['versions']['torch']}, {about['device']}, {about['threads']} threads; commit "
        f"{', '.join(about['commits']) or 'unknown'}."
    )


def _line(found: Numbers) -> str:
    shown = [f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in found.items() if _is_short(v)]
    return ", ".join(shown)


def _is_short(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _write(values: Any, file: Any) -> None:
    file.write(json.dumps(values, indent=1).encode() + b"\n")
