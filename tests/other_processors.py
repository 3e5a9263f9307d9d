"""Runs compiled code as processors without wide vectors or fused multiply-adds would."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ccnn_geo._base.native import build


def run_on_other_processors(
    check: Callable[[], None],
    names: Sequence[str],
    tmp_path: Path,
    flags: Sequence[str] = ("-mno-avx512f", "-mno-avx"),
) -> None:
    """Calls ``check`` once per compiler flag, with functions of these names that were compiled with it."""
    compiler = " ".join(build.find_compiler())
    wrapper = tmp_path / "cc"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CC", str(wrapper))
            for flag in flags:
                wrapper.write_text(f'#!/bin/sh\nexec {compiler} "$@" {flag}\n')
                wrapper.chmod(0o755)
                cache = tmp_path / f"with{flag.replace(' ', '')}"
                patch.setenv("CCNN_GEO_CACHE", str(cache))
                build.load.cache_clear()
                statuses = [build.native_status(name) for name in names]
                if any("unrecognized" in status for status in statuses):
                    pytest.skip(f"the compiler has no {flag}: not an x86 processor")
                assert all(str(cache) in status for status in statuses), statuses
                check()
    finally:
        build.load.cache_clear()
