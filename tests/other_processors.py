"""Runs compiled code as processors without wide vectors or fused multiply-adds would, in a process of its own."""

import os
import subprocess
import sys

import pytest

from ccnn_geo.functional.native import build


def run_on_other_processors(code, names, tmp_path, flags=("", "-mno-avx512f", "-mno-avx")):
    """Runs python code once per compiler flag, and asserts that functions of these names were compiled with it."""
    statuses = (
        f"\nfrom ccnn_geo.functional.native import build\nfor n in {names!r}: print(build.native_status(n))"
    )
    for flag in flags:
        wrapper, cache = tmp_path / "cc", tmp_path / f"with{flag.replace(' ', '')}"
        wrapper.write_text(f'#!/bin/sh\nexec {" ".join(build.find_compiler())} "$@" {flag}\n')
        wrapper.chmod(0o755)
        env = {**os.environ, "CC": str(wrapper), "CCNN_GEO_CACHE": str(cache)}
        done = subprocess.run(
            [sys.executable, "-c", code + statuses], env=env, capture_output=True, text=True, timeout=300
        )
        if flag and "unrecognized" in done.stderr:
            pytest.skip(f"the compiler has no {flag}: not an x86 processor")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(str(cache)) == len(names), done.stdout
