"""The command of ``table5``, ``table6`` and ``table7``: fresh processes, and the paper's numbers beside ours.

Methods, and compiled code on and off, take turns, so that a drifting machine affects all cases of a length and a width
alike.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from ccnn_geo.cli.terminal import Paragraphs
from ccnn_geo.experiments.benchmarks.sequence_layers import METHODS, Case
from ccnn_geo.experiments.benchmarks.step_cost import Job, Row
from ccnn_geo.experiments.benchmarks.study_report import (
    FIELDS,
    SETTINGS,
    Study,
    header,
    plot_study,
    table_lines,
)
from ccnn_geo.experiments.benchmarks.timing import peak_above_start

ENOUGH = 1.0
"""Seconds to fill with further repeats of steps."""


def apart(job: Job) -> list[Row]:
    """Runs a job by ``step_cost`` in a fresh process."""
    try:
        answer = peak_above_start(
            "ccnn_geo.experiments.benchmarks.step_cost", json.dumps(job), timeout=job["timeout"]
        )
        return answer["rows"]
    except subprocess.TimeoutExpired:
        reason = f"more than {job['timeout']:,.0f} s"
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or [f"ended by signal {-error.returncode}"])[-1]
    return [{"failed": reason} for _ in job["cases"]]


# Command ------------------------------------------------------------------------------------------


def parse(study: Study, description: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the options of the command."""
    parser = argparse.ArgumentParser(
        prog=f"ccnn-geo reproduce {study.name}", description=description, formatter_class=Paragraphs
    )
    gpu = torch.cuda.is_available()
    more = "; in rounds, as many as fit into a second" if study.unit == "ms" else ", each in a fresh process"
    methods = METHODS[study.kind]
    rows = f"rows; default: all of {', '.join(methods)}"
    parser.add_argument("--methods", nargs="+", choices=methods, metavar="METHOD", help=rows)
    parser.add_argument("--lengths", nargs="+", type=int, help=f"default: {study.lengths}")
    parser.add_argument("--hidden", nargs="+", type=int, help=f"channels; default: {study.hidden}")
    parser.add_argument("--large", action="store_true", help=f"with {study.large} channels, as on a GPU")
    parser.add_argument("--batch", type=int, help="default: 8")
    parser.add_argument("--repeats", type=int, help=f"least number; default: {study.repeats}{more}")
    parser.add_argument(
        "--native", nargs="+", type=int, choices=(0, 1), help="compiled code off, on, or both"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="limit for one step")
    parser.add_argument(
        "--megabytes", type=float, default=12000.0, help="limit for one process, above its imports"
    )
    parser.add_argument("--out", type=Path, default=Path("runs") / study.name)
    parser.add_argument("--quick", action="store_true", help="toy sizes, one repeat: does it run?")
    args = parser.parse_args(argv)
    toy = args.quick
    args.methods = args.methods or list(METHODS[study.kind])
    args.lengths = sorted(set(args.lengths or (study.toy[0] if toy else study.lengths)))
    sizes = study.toy[1] if toy else study.hidden + (study.large,) * (gpu or args.large)
    args.hidden = sorted(set(args.hidden or sizes))
    args.repeats = (1 if toy else study.repeats) if args.repeats is None else args.repeats
    args.batch = (2 if toy else 8) if args.batch is None else args.batch
    # there is no compiled code for a GPU
    args.native = [bool(n) for n in dict.fromkeys(args.native or ((0,) if gpu else (1, 0)))]
    for name, smallest in {"lengths": 2, "hidden": 1, "batch": 1, "repeats": 1}.items():
        given = getattr(args, name)
        if min(given if isinstance(given, list) else [given]) < smallest:
            parser.error(f"argument --{name}: expected at least {smallest}, got {given}")
    unknown = [h for h in args.hidden if study.allowed and h not in study.allowed]
    if unknown:
        parser.error(f"argument --hidden: expected widths of presets, {sorted(study.allowed)}, got {unknown}")
    return args


class Forecast:
    """Predicts cases beyond a limit from the same at a smaller length: cost grows at least with the length."""

    def __init__(self, limit: float, unit: str) -> None:
        self.limit, self.unit = limit, unit
        self.seen: dict[Case, tuple[int, Row]] = {}

    def refusal(self, case: Case) -> str | None:
        """Returns the reason not to try the case, if there is one."""
        length, row = self.seen.get(dataclasses.replace(case, length=0), (case.length, {}))
        if row.get("failed"):
            return f"as L={length:,}: {row['failed']}"
        about = row.get("value", 0.0) * case.length / length
        return f"about {about:,.0f} {self.unit}, by L={length:,}" if about > self.limit else None

    def learn(self, case: Case, row: Row) -> None:
        """Stores a measurement to judge longer inputs by."""
        if not (row.get("failed") or "").startswith(("as L=", "about ")):
            self.seen[dataclasses.replace(case, length=0)] = (case.length, row)


def groups(study: Study, args: argparse.Namespace) -> Iterator[list[Case]]:
    """Yields the cases of one width and length, in the order of their turns."""
    for hidden in args.hidden:
        for length in args.lengths:
            yield [
                Case(study.kind, method, length, hidden, args.batch, native)
                for method in args.methods
                for native in args.native
            ]


def results(study: Study, args: argparse.Namespace, forecast: Forecast, cases: Sequence[Case]) -> list[Row]:
    """Returns median and spread of each case."""
    rows: dict[Case, Row] = {case: {"failed": forecast.refusal(case), "samples": []} for case in cases}
    tried = [case for case in cases if not rows[case]["failed"]]
    timed = study.unit == "ms"
    parts = [tried] if timed else [[case] for case in tried] * args.repeats
    for part in filter(None, parts):
        passes = len(part) * (args.repeats + 2) if timed else 3
        job = {
            "cases": [dataclasses.asdict(case) for case in part],
            "unit": study.unit,
            "repeats": args.repeats,
            "enough": 0.0 if args.quick else ENOUGH,
            "megabytes": args.megabytes,
            "timeout": 60 + args.seconds * passes,
        }
        for case, answer in zip(part, apart(job), strict=True):
            rows[case]["samples"] += answer.get("samples", [])
            rows[case]["failed"] = answer.get("failed") or rows[case]["failed"]
    for case, row in rows.items():
        samples = row.pop("samples")
        if not row["failed"]:
            row |= {"value": statistics.median(samples), "low": min(samples), "high": max(samples)}
            row["repeats"] = len(samples)
        forecast.learn(case, row)
    return [
        {**dataclasses.asdict(case), "setting": SETTINGS[case.native], "unit": study.unit, **row}
        for case, row in rows.items()
    ]


def run(study: Study, description: str, argv: Sequence[str] | None = None) -> None:
    """Runs the command of a table."""
    args = parse(study, description, argv)
    forecast = Forecast(1e3 * args.seconds if study.unit == "ms" else args.megabytes, study.unit)
    print(*header(study, args), sep="\n")
    rows: list[Row] = []
    args.out.mkdir(parents=True, exist_ok=True)
    for cases in groups(study, args):
        found = results(study, args, forecast, cases)
        print(*table_lines(study, found), sep="\n", flush=True)
        rows += found
        with (args.out / "results.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    plot_study(study, rows, args.out / "cost.png")
    print(f"\n{args.out}/results.csv, {args.out}/cost.png")
