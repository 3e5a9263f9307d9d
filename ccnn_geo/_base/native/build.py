"""Compiles the C sources of the package on the machine they run on, once per machine and version.

Each source ``name.c`` exports one function ``int name(const args *)`` and becomes its own library, compiled on first
use. Nothing here is required: without a compiler, OpenMP or a writable folder there is no function, and
:func:`native_status` reports why.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ccnn_geo._base.cache_folder import cache_folder

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1]
FLAGS = (
    *("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", "-std=gnu11"),
    *("-fno-math-errno", "-fno-trapping-math", "-fwrapv"),
)
OPTIONAL = ("-mprefer-vector-width=512",)  # x86 only; compilers split wide vectors without it
TIMEOUT = 120.0
EXACT = "FP_CONTRACT OFF"
THREAD_EDGES = 2048
"""Edges that justify one more thread."""


class Native(NamedTuple):
    """A compiled function or ``None``, and one sentence about it."""

    function: Callable[..., int] | None
    status: str


def native_function(name: str) -> Callable[..., int] | None:
    """The function of ``name.c``, or ``None``; ``CCNN_GEO_NATIVE=0`` turns all of them off at any time."""
    return None if os.environ.get("CCNN_GEO_NATIVE") == "0" else load(name).function


@torch.compiler.assume_constant_result
def has_native(name: str) -> bool:
    """Whether there is a function of ``name.c``; ``torch.compile`` calls this once."""
    return os.environ.get("CCNN_GEO_NATIVE") != "0" and load(name).function is not None


def native_status(name: str = "edge_magnet") -> str:
    """Reports which library provides the function of ``name.c``, or why there is none."""
    return "Native code is turned off by CCNN_GEO_NATIVE=0." if _disabled() else load(name).status


def native_summary() -> str:
    """One line about all functions; compiles those that are not compiled yet.

    Example:
        >>> native_summary().startswith(("all ", "none: ", "off: ")) or "without" in native_summary()
        True
    """
    if _disabled():
        return "off: CCNN_GEO_NATIVE=0"
    names = sorted(_sources())
    missing = {name: load(name).status for name in names if load(name).function is None}
    if not missing:
        return f"all {len(names)} in {cache_folder()}"
    reason = next(iter(missing.values())).removeprefix("No native code: ").removesuffix(".")
    if len(missing) == len(names):
        return f"none: {reason}"
    return f"{len(names) - len(missing)} of {len(names)}, without {', '.join(missing)}: {reason}"


def arguments(sizes: Sequence[str], tensors: Sequence[str]) -> type[ctypes.Structure]:
    """The structure that a function takes: 64-bit integers, then addresses."""
    fields = [(name, ctypes.c_int64) for name in sizes] + [(name, ctypes.c_void_p) for name in tensors]
    return type("Arguments", (ctypes.Structure,), {"_fields_": fields})


def addresses(**tensors: Tensor) -> dict[str, int]:
    """Addresses of tensors for a function in C; the only place that reads them.

    Raises:
        ValueError: If one is on another device, where addresses of the host mean nothing.
    """
    for t in tensors.values():
        if t.device.type != "cpu":
            got = ", ".join(f"{name} on {t.device}" for name, t in tensors.items())
            raise ValueError(f"compiled code: expected all on cpu, got {got}")
    return {name: t.data_ptr() for name, t in tensors.items()}


def threads_for(num_edges: int) -> int:
    """Number of threads for a loop over edges."""
    return min(torch.get_num_threads(), 1 + num_edges // THREAD_EDGES)


def _disabled() -> bool:
    return os.environ.get("CCNN_GEO_NATIVE", "1") == "0"


@functools.cache
def _sources() -> dict[str, Path]:
    """All C sources by name; each lies beside the module that calls it."""
    return {path.stem: path for path in PACKAGE.rglob("*.c")}


@functools.cache
def load(name: str) -> Native:
    """Loads a function and compiles it if necessary; caches it for the process."""
    compiler = find_compiler()
    if compiler is None:
        return Native(None, "No native code: there is no C compiler ($CC, cc, gcc, clang).")
    try:
        path = _compile(compiler, _sources()[name], cache_folder())
        return Native(getattr(ctypes.CDLL(str(path)), name), f"Native code is used: {path}.")
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines() or ["no message"]
        said = next((line for line in lines if "error" in line), lines[-1])
        return Native(None, f"No native code: {compiler[0]} failed, {said}")
    except (OSError, subprocess.SubprocessError, AttributeError) as error:
        return Native(None, f"No native code: {error}")


def find_compiler() -> list[str] | None:
    """The command of the C compiler: ``$CC`` if set, else the first of the usual names."""
    given = shlex.split(os.environ.get("CC", ""))
    for command in [given] if given else [["cc"], ["gcc"], ["clang"]]:
        if found := shutil.which(command[0]):
            return [found, *command[1:]]
    return None


def _compile(compiler: list[str], source: Path, folder: Path) -> Path:
    text = source.read_text()
    flags = FLAGS + (OPTIONAL if platform.machine() in ("x86_64", "AMD64") else ())
    # fuses products and sums, unless a source needs each rounded, as its first lines state
    flags += (f"-ffp-contract={'off' if EXACT in text else 'fast'}",)
    stamp = os.stat(compiler[0])
    identity = [*compiler, *flags, str(stamp.st_size), str(stamp.st_mtime_ns), processor()]
    digest = hashlib.sha256("\0".join(identity).encode())
    for header in sorted(HERE.glob("*.h")):
        text += header.read_text()
    digest.update(text.encode())
    target = folder / f"{source.stem}-{digest.hexdigest()[:20]}.so"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    # in a temporary folder until complete: other processes may compile at the same time
    with tempfile.TemporaryDirectory(dir=folder) as own:
        built = Path(own) / target.name
        subprocess.run(
            [*compiler, *flags, f"-I{HERE}", str(source), "-o", str(built), "-lm"],
            check=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        os.replace(built, target)
    return target


def processor() -> str:
    """A description of what ``-march=native`` depends on; machines that share a home folder may differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    keys = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU implementer", "CPU part")
    first: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in keys:
            first.setdefault(key.strip(), value.strip())
    return f"{platform.machine()} {sorted(first.items())}"
