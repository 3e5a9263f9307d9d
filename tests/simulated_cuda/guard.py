"""Builds what torch asks a CUDA device for (``guard.cpp``), once per torch, and loads it before torch is imported."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("guard.cpp")


def load() -> str | None:
    """Loads it; says why not where there can be none.

    Raises:
        ImportError: If torch is imported already, for then it has looked for a device.
    """
    if "torch" in sys.modules:
        raise ImportError("simulated_cuda: expected to be loaded before torch, which is imported already")
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if sys.platform != "linux" or compiler is None:
        return f"the simulated CUDA device wants Linux and a C++ compiler ($CXX, g++), got {sys.platform}, {compiler}"
    spec = importlib.util.find_spec("torch")
    assert spec is not None and spec.origin is not None, "torch is installed"
    torch = Path(spec.origin).parent
    library = _build(compiler, torch)
    for needed in ("libc10.so", "libtorch_cpu.so"):
        ctypes.CDLL(str(torch / "lib" / needed), ctypes.RTLD_GLOBAL)
    ctypes.CDLL(str(library))
    return None


def _build(compiler: str, torch: Path) -> Path:
    text = "\0".join([compiler, str(torch), (torch / "version.py").read_text(), SOURCE.read_text()])
    folder = Path(os.environ.get("CCNN_GEO_CACHE") or tempfile.gettempdir())
    target = folder / f"simulated_cuda-{hashlib.sha256(text.encode()).hexdigest()[:20]}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        include = torch / "include"
        # under a name of its own until it is whole: other processes may build at the same time
        with tempfile.TemporaryDirectory(dir=folder) as own:
            built = Path(own) / target.name
            headers = [f"-I{include}", f"-I{include / 'torch/csrc/api/include'}"]
            flags = ["-std=c++20", "-O1", "-shared", "-fPIC"]
            subprocess.run([compiler, *flags, *headers, str(SOURCE), "-o", str(built)], check=True)
            os.replace(built, target)
    return target
