"""Compiles the C sources of this folder on the machine they run on, once per machine and version.

Nothing here is required: without a compiler, OpenMP or a folder to write to there is no library, and
:func:`native_status` says why.
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
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
SOURCE, HEADERS = "edge_magnet.c", ("gabor.h", "simd.h")
FLAGS = (
    *("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", "-std=gnu11"),
    *("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fwrapv"),
)
OPTIONAL = ("-mprefer-vector-width=512",)  # x86 only; compilers split wide vectors without it
TIMEOUT = 120.0


class Native(NamedTuple):
    """A loaded library, or none, and one sentence about it."""

    library: ctypes.CDLL | None
    status: str


def native_library() -> ctypes.CDLL | None:
    """The compiled functions, or ``None``; ``CCNN_GEO_NATIVE=0`` turns them off at any time."""
    return None if _disabled() else load().library


def native_status() -> str:
    """Which library is used, or why there is none."""
    return "Native code is turned off by CCNN_GEO_NATIVE=0." if _disabled() else load().status


def _disabled() -> bool:
    return os.environ.get("CCNN_GEO_NATIVE", "1") == "0"


@functools.cache
def load() -> Native:
    """Compiles if need be, and loads; remembered for the process."""
    compiler = find_compiler()
    if compiler is None:
        return Native(None, "No native code: there is no C compiler ($CC, cc, gcc, clang).")
    try:
        path = _compile(compiler, cache_folder())
        return Native(_declare(ctypes.CDLL(str(path))), f"Native code is used: {path}.")
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


def cache_folder() -> Path:
    """Where libraries are kept: ``$CCNN_GEO_CACHE``, else the user's cache."""
    if given := os.environ.get("CCNN_GEO_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ccnn_geo"


def _compile(compiler: list[str], folder: Path) -> Path:
    flags = FLAGS + (OPTIONAL if platform.machine() in ("x86_64", "AMD64") else ())
    sources = [HERE / name for name in (SOURCE, *HEADERS)]
    stamp = os.stat(compiler[0])
    identity = [*compiler, *flags, str(stamp.st_size), str(stamp.st_mtime_ns), _processor()]
    digest = hashlib.sha256("\0".join(identity).encode())
    for source in sources:
        digest.update(source.read_bytes())
    target = folder / f"edge_magnet-{digest.hexdigest()[:20]}.so"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    # under a name of its own until it is whole: other processes may compile at the same time
    with tempfile.TemporaryDirectory(dir=folder) as own:
        built = Path(own) / target.name
        subprocess.run(
            [*compiler, *flags, str(sources[0]), "-o", str(built), "-lm"],
            check=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        os.replace(built, target)
    return target


def _processor() -> str:
    """What ``-march=native`` depends on: machines that share a home may differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    keys = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU implementer", "CPU part")
    first = {}
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in keys:
            first.setdefault(key.strip(), value.strip())
    return f"{platform.machine()} {sorted(first.items())}"


class EdgeArgs(ctypes.Structure):
    """``edge_args`` of ``edge_magnet.c``."""

    SIZES = ("num_src", "num_dst", "channels", "dim", "hidden", "layers", "threads", "memory")
    TENSORS = (
        *(
            "x",
            "pos_src",
            "pos_dst",
            "src",
            "ptr",
            "low",
            "high",
            "quadratic",
            "linear",
            "affine",
            "output",
            "out",
        ),
        *("grad_out", "grad_x", "grad_src", "grad_dst"),
        *("grad_quadratic", "grad_linear", "grad_affine", "grad_output"),
    )
    _fields_ = [(name, ctypes.c_int64) for name in SIZES] + [(name, ctypes.c_void_p) for name in TENSORS]


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    library.edge_magnet.argtypes = [ctypes.POINTER(EdgeArgs)]
    library.edge_magnet.restype = ctypes.c_int
    return library
