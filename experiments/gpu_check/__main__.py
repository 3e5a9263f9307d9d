"""Checks on a GPU, in at most ten minutes, everything that no CPU can tell, and writes a report for an issue.

    python -m ccnn_geo.experiments.gpu_check                          # on a GPU; gpu-check/report.md
    python -m ccnn_geo.experiments.gpu_check --device cpu --tiny      # does the check itself run? a minute, no GPU
    python -m ccnn_geo.experiments.gpu_check --only parity speed      # some of its sections

Every finding is a line of JSON in ``findings.jsonl``; ``report.md`` has them as tables. A section that the time left
is not enough for is left out, and the report says so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from ccnn_geo.experiments.gpu_check import (
    behaviour,
    environment,
    graphs,
    grids,
    parity,
    points,
    search,
    training,
)
from ccnn_geo.experiments.gpu_check.check import Check
from ccnn_geo.experiments.gpu_check.report import report


class Section(NamedTuple):
    """A part of the check: its function, the seconds that it needs, and whether it says anything without CUDA."""

    run: Callable[[Check], None]
    seconds: float
    cuda_only: bool = False


SECTIONS: Mapping[str, Section] = {
    "environment": Section(environment.run, 15),
    "suite": Section(environment.suite, 120, True),
    "parity": Section(parity.run, 40),
    "mixed_devices": Section(behaviour.mixed_devices, 30, True),
    "stale_window": Section(behaviour.stale_window, 5),
    "speed": Section(points.speed, 40),
    "fused": Section(points.fused, 40),
    "peers": Section(points.peers, 40),
    "search": Section(search.run, 30),
    "grids": Section(grids.run, 60),
    "graphs": Section(graphs.run, 60),
    "determinism": Section(behaviour.determinism, 20),
    "step": Section(training.one_step, 40),
    "training": Section(training.run, 80, True),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the sections and writes both files.

    Raises:
        ValueError: If there is no CUDA device where one is asked for.
    """
    parser = argparse.ArgumentParser(
        prog="ccnn-geo gpu-check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="default: cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes that a CPU does in a minute")
    parser.add_argument("--seconds", type=float, default=560.0, help="time for all of it, default 560")
    parser.add_argument(
        "--only", nargs="+", choices=list(SECTIONS), metavar="SECTION", help=f"some of: {', '.join(SECTIONS)}"
    )
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="folder, default gpu-check")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "gpu-check: expected a CUDA device, torch finds none; --device cpu --tiny tries the check itself"
        )
    folder = run(options.out, options.device, options.tiny, options.seconds, options.only)
    print(f"{folder / 'report.md'}: please attach it to an issue")


def run(
    out: Path, device: str, tiny: bool = False, seconds: float = 560.0, only: Sequence[str] | None = None
) -> Path:
    """Runs the sections, and returns the folder with ``findings.jsonl`` and ``report.md``.

    Args:
        out: The folder, made if it is not there; findings of before are overwritten.
        device: ``cuda`` or ``cpu``.
        tiny: Sizes for a CPU.
        seconds: For all of it; a section that needs more than is left is left out.
        only: Names of :data:`SECTIONS`, all by default.
    """
    os.environ.setdefault(
        "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
    )  # before cuBLAS starts: deterministic products
    out.mkdir(parents=True, exist_ok=True)
    with (out / "findings.jsonl").open("w", encoding="utf-8") as file:
        check = Check(torch.device(device), tiny, seconds, file)
        for name, section in SECTIONS.items():
            if only is not None and name not in only:
                continue
            check.section = name
            if section.cuda_only and not check.on_cuda:
                check.say(left_out="it needs a CUDA device")
            elif check.seconds_left() < section.seconds:
                check.say(left_out=f"it needs {section.seconds:.0f} s, {check.seconds_left():.0f} s are left")
            else:
                try:
                    section.run(check)
                except Exception as error:  # one broken section must not cost the others
                    where = traceback.format_exc().splitlines()[-3:]
                    check.say(error=f"{type(error).__name__}: {str(error)[:300]}", where=where)
    findings = [
        json.loads(line) for line in (out / "findings.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    (out / "report.md").write_text(report(findings), encoding="utf-8")
    return out


if __name__ == "__main__":
    try:
        main()
    except ValueError as problem:
        sys.exit(str(problem))
