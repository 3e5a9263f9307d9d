"""Costs of operations by device: built-in figures, or those that were measured on this machine.

``python -m ccnn_geo.experiments.benchmarks.calibrate`` measures them and writes a file to the
:func:`~ccnn_geo._base.cache_folder.cache_folder`. A process looks for it once, when a choice first asks.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import re
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from ccnn_geo._base.cache_folder import cache_folder
from ccnn_geo._base.caller import warn_caller
from ccnn_geo._base.native.build import processor

FORMAT = 1


@dataclass(frozen=True)
class Costs:
    """Figures by which paths are chosen; only their ratios count.

    Args:
        fft: ``log2(n)`` operations per point of torch's FFT, relative to one tap of a direct convolution.
        compiled_fft: The same of ours.
        listed: Nanoseconds for an edge that is listed.
        filter: For a filter of a kernel network at one offset.
        product: For a product of two numbers in such a network.
        compiled_share: Share of the last two that a compiled loop takes.
        lattice_listed: For an edge that is grouped by its offset.
        lattice_channel: For a channel of such an edge in the kernel's support.
        lattice_compiled_share: Share of these two that compiled code takes.
        cell: For a cell of a mesh and binary digit of the number of cells.
        spread: For a point and a cell around it.
    """

    fft: float
    compiled_fft: float
    listed: float
    filter: float
    product: float
    compiled_share: float
    lattice_listed: float
    lattice_channel: float
    lattice_compiled_share: float
    cell: float
    spread: float


CPU = Costs(
    # Forward and backward on two CPU cores break even between 0.6 and 2.3, and 0.1 and 0.7, for 1-D to 3-D
    # (python -m ccnn_geo.experiments.benchmarks.bench_grid_conv).
    fft=1.5,
    compiled_fft=0.4,
    # Nanoseconds on one core of the machine of docs/performance.md.
    listed=5.0,
    filter=7.0,
    product=0.013,
    compiled_share=0.3,
    lattice_listed=26.0,
    lattice_channel=1.5,
    lattice_compiled_share=0.25,
    cell=0.2,
    spread=0.4,
)
BUILT_IN = {"cpu": CPU, "cuda": CPU}
"""Figures of a device type that was not measured; no GPU was, so that a GPU has those of a CPU."""


def costs_of(device: torch.device) -> Costs:
    """The figures for a device: those in its file, or the built-in ones."""
    return _known_costs(str(device))


@torch.compiler.assume_constant_result
def fft_cost(device: str, compiled: bool) -> float:
    """That of an FFT, of which ``torch.compile`` asks once."""
    costs = _known_costs(device)
    return costs.compiled_fft if compiled else costs.fft


@functools.cache
def _known_costs(device: str) -> Costs:
    of = torch.device(device)
    built_in = BUILT_IN.get(of.type, CPU)
    if of.type not in BUILT_IN:
        return built_in
    try:
        path = costs_file(of)
        found = path.read_bytes()
    except OSError:  # there is none, or no folder
        return built_in
    try:
        return read_costs(found.decode("utf-8"))
    except ValueError as error:
        warn_caller(f"{path} is ignored, {error}; ccnn_geo.experiments.benchmarks.calibrate writes it anew")
        return built_in


def device_name(device: torch.device) -> str:
    """A name that tells a device from others that share a home folder."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu {hashlib.sha256(processor().encode()).hexdigest()[:10]}"


def costs_file(device: torch.device, folder: Path | None = None) -> Path:
    """The file with the measured figures of a device.

    Raises:
        FileNotFoundError: If there is no cache folder.
    """
    name = re.sub("[^a-z0-9]+", "-", device_name(device).lower()).strip("-")
    return (cache_folder() if folder is None else folder) / f"costs-{name}.json"


def read_costs(text: str) -> Costs:
    """The figures in the text of a file.

    Raises:
        ValueError: If it is none of ours, or a figure is missing, negative or not finite.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from error
    given = found.get("costs") if isinstance(found, dict) and found.get("format") == FORMAT else None
    if not isinstance(given, dict):
        raise ValueError(f"expected an object with format {FORMAT} and costs")
    values: dict[str, float] = {}
    for name in (field.name for field in fields(Costs)):
        value = given.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise ValueError(f"expected {name} to be a number >= 0, got {value!r}")
        values[name] = float(value)
    return Costs(**values)


def write_costs(costs: Costs, device: torch.device, folder: Path | None = None) -> Path:
    """Keeps figures for later processes; the file is complete or absent."""
    path = costs_file(device, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "format": FORMAT,
        "device": device_name(device),
        "torch": torch.__version__,
        "costs": asdict(costs),
    }
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(json.dumps(kept, indent=2) + "\n")
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
    return path
