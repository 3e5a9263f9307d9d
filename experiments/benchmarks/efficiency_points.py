"""Cost and error of layers on points: one kernel per edge, our other methods, and PyG's point layers.

    python -m ccnn_geo.experiments.benchmarks.efficiency_points [--tables cost peers]
        [--methods edge mesh] [--sizes 1024 4096]
    python -m ccnn_geo.experiments.benchmarks.efficiency_points --list
    python -m ccnn_geo.experiments.benchmarks.efficiency_points --quick              # toy sizes: does it run?

Each measurement is a separate process. ``search``, ``forward`` and ``fwd + bwd`` are seconds (the search for
neighbours is shared by all layers of a network), ``peak`` is memory above start in MB without the list of neighbours,
``list`` that list, ``error`` the relative l2 error against the definition in float64 at random points. A ratio in
brackets is the table's plain form over this one. A case that would exceed ``--seconds`` or ``--megabytes`` shows a dash
with the reason. Writes ``results.csv``, and ``cost.png`` from the table ``cost``, into ``--out``.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ccnn_geo.cli.terminal import Paragraphs
from ccnn_geo.experiments.benchmarks.efficiency_picture import plot_cost
from ccnn_geo.experiments.benchmarks.efficiency_tables import SIZES, TABLES, toy
from ccnn_geo.experiments.benchmarks.point_layers import LAYERS, Case, make_cloud, relative_error
from ccnn_geo.experiments.benchmarks.timing import (
    MEMORY_ERRORS,
    forget_peak,
    forward_and_backward,
    limit_memory,
    machine,
    peak_above_start,
    peak_memory,
)
from ccnn_geo.neighbors import build_neighbors
from ccnn_geo.nn.conv.base import ContinuousConv

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "8000000000", "MALLOC_TRIM_THRESHOLD_": "20000000000"}
"""Settings of the C library that keep freed memory in the process for its next tensors."""
RESULTS = ("parameters", "search", "forward", "both", "peak", "list", "error", "repeats", "failed")
HEAD = (
    f"{'':32s} {'params':>8s} {'search':>8s} {'forward':>9s} {'':8s}{'fwd + bwd':>9s} {'':8s}{'peak':>8s} {'':8s}"
    f"{'list':>6s} {'error':>8s}"
)
Row = dict[str, Any]


# One measurement ----------------------------------------------------------------------------------


def measure(case: Case, root: str, repeats: int, seconds: float) -> Row:
    """Measures one case in this process."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x, pos, batch = (t.to(device) for t in make_cloud(case, root))
    layer, run = LAYERS[case.method](case)
    layer.to(device)
    row: Row = {"points": len(x) // case.batch, "parameters": sum(p.numel() for p in layer.parameters())}
    begin, neighbors = time.perf_counter(), None
    if not case.method.endswith("mesh"):
        neighbors = build_neighbors(pos, batch, num_neighbors=case.neighbors)
        row["list"] = sum(t.numel() * t.element_size() for t in (neighbors.edge_index, neighbors.ptr)) / 2**20
    row["search"] = time.perf_counter() - begin
    start = forget_peak()
    x.requires_grad_()
    row |= forward_and_backward(lambda x: run(x, pos, batch, neighbors), x, repeats, seconds - row["search"])
    row["peak"] = peak_memory() - start
    if isinstance(layer, ContinuousConv):
        row["error"] = relative_error(layer, x.detach(), pos, batch, neighbors, case.against)
    return row


def measure_apart(case: Case, args: argparse.Namespace) -> Row:
    """Measures one case in a fresh process; returns a row with ``failed`` if it does not finish."""
    limits = {name: getattr(args, name) for name in ("root", "repeats", "seconds", "megabytes")}
    settings = json.dumps({"case": dataclasses.asdict(case), **limits})
    try:
        return peak_above_start(
            "ccnn_geo.experiments.benchmarks.efficiency_points",
            "--case",
            settings,
            environment=ALLOCATOR if case.allocator else None,
            timeout=30 + 1.5 * args.seconds,  # it starts, repeats while there is time, and computes the error
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {args.seconds:g} s"}
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"ended by signal {-error.returncode}"])[-1]
        if any(hint in last for hint in MEMORY_ERRORS):
            last = f"more than {args.megabytes:,.0f} MB"
        return {"failed": last}


class Forecast:
    """Predicts the cost of a case from the last smaller one that differs only in its number of points."""

    def __init__(self, seconds: float, megabytes: float) -> None:
        self.seconds, self.megabytes = seconds, megabytes
        self.seen: dict[Case, tuple[Case, Row]] = {}

    def refusal(self, case: Case) -> str | None:
        """Returns the reason not to try the case, if there is one."""
        known = self.seen.get(dataclasses.replace(case, points=0))
        if known is None or case.points <= known[0].points:
            return None
        smaller, row = known
        if row.get("failed"):
            return f"as N={smaller.points:,}: {row['failed']}"
        growth = case.work / smaller.work
        seconds = growth * row["both"]
        megabytes = growth * (row["peak"] + row.get("list", 0.0))
        if seconds > self.seconds:
            return f"about {seconds:,.0f} s, by N={smaller.points:,}"
        if megabytes > self.megabytes:
            return f"about {megabytes:,.0f} MB, by N={smaller.points:,}"
        return None

    def learn(self, case: Case, row: Row) -> None:
        """Stores a measurement, or a failure to measure, to judge the next case by."""
        self.seen[dataclasses.replace(case, points=0)] = (case, row)


# Command ------------------------------------------------------------------------------------------


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the options of the command."""
    parser = argparse.ArgumentParser(
        prog="ccnn-geo reproduce efficiency_points", description=__doc__, formatter_class=Paragraphs
    )
    choices: dict[str, list[str]] = {"table": list(TABLES), "method": list(LAYERS)}
    for name, known in choices.items():
        parser.add_argument(
            f"--{name}s",
            nargs="+",
            choices=known,
            default=known,
            metavar=name.upper(),
            help=f"some of {', '.join(known)}",
        )
    parser.add_argument("--sizes", nargs="+", type=int, help="points of the table 'cost'")
    parser.add_argument("--repeats", type=int, default=3, help="repeats after a warm-up; the median counts")
    parser.add_argument("--seconds", type=float, default=60.0, help="limit for the passes of one measurement")
    parser.add_argument(
        "--megabytes", type=float, default=12000.0, help="limit of a measurement, above start"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/efficiency_points"))
    parser.add_argument("--root", default="data", help="folder with kitti.npz, for the table 'lidar'")
    parser.add_argument("--quick", action="store_true", help="toy sizes, one repeat")
    parser.add_argument("--list", action="store_true", help="list the cases without measuring them")
    parser.add_argument("--case", help="measure this case in this process and print JSON")
    args = parser.parse_args(argv)
    args.sizes = sorted(args.sizes or ((32, 64) if args.quick else SIZES))
    args.repeats = 1 if args.quick else args.repeats
    return args


def chosen(args: argparse.Namespace) -> Iterator[tuple[str, str, list[Case]]]:
    """Yields table, heading and cases of the request."""
    for table in args.tables:
        for heading, cases in TABLES[table](args.sizes).items():
            wanted = [case for case in cases if case.method in args.methods]
            if wanted:
                yield table, heading, [toy(case) for case in wanted] if args.quick else wanted


def show(case: Case, row: Row, plain: Row | None) -> str:
    """Formats a line of a table."""
    if row.get("failed"):
        return f"{case.label:32s} -  {row['failed']}"

    def versus(key: str) -> str:
        return f"({plain[key] / max(row[key], 1e-9):.3g}x)" if plain else ""

    error = f"{row['error']:.1e}" if "error" in row else "-"
    return (
        f"{case.label:32s} {row['parameters']:8,d} {row['search']:8.2f} {row['forward']:9.3f} {versus('forward'):8s}"
        f"{row['both']:9.3f} {versus('both'):8s}{row['peak']:8,.0f} {versus('peak'):8s}{row.get('list', 0):6,.0f} "
        f"{error:>8s}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command with these arguments."""
    args = parse(argv)
    if args.case:
        settings = json.loads(args.case)
        limit_memory(settings.pop("megabytes"))
        print(json.dumps(measure(Case(**settings.pop("case")), **settings)))
        return
    print(machine())
    forecast, rows = Forecast(args.seconds, args.megabytes), []
    for table, heading, cases in chosen(args):
        print(f"\n{table}: {heading}" + (" (toy sizes instead)" if args.quick else ""))
        if args.list:
            print(*(f"  {case.label}" for case in cases), sep="\n")
            continue
        if cases[0].cloud == "kitti" and not (Path(args.root) / "kitti.npz").exists():
            print(f"skipped: no kitti.npz in {args.root} (--root)")
            continue
        print(HEAD)
        plain = None
        for case in cases:
            refusal = forecast.refusal(case)
            row = {"failed": refusal} if refusal else measure_apart(case, args)
            if not refusal:
                forecast.learn(case, row)
            if case.method == "plain" and not row.get("failed"):
                plain = row
            print(show(case, row, plain), flush=True)
            rows.append({"table": table, "machine": machine(), **dataclasses.asdict(case), **row})
            write(rows, args.out / "results.csv")
    if any(row["table"] == "cost" for row in rows):
        plot_cost(rows, args.out / "cost.png")
    if rows:
        print(f"\n{args.out}/results.csv")


def write(rows: Sequence[Row], path: Path) -> None:
    """Writes all measurements so far, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = ["table", *(f.name for f in dataclasses.fields(Case)), *RESULTS, "machine"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
