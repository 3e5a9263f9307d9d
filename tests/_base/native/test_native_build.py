"""The compiler: every way not to have one, a library that is compiled once, and processes that fork."""

import pytest

from ccnn_geo._base.native import build
from ccnn_geo._base.native.build import native_status

HAVE = build.native_function("edge_magnet") is not None

needs_native = pytest.mark.skipif(not HAVE, reason=native_status())


@pytest.fixture
def fresh(monkeypatch):
    """Forgets the library before and after."""
    build.load.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    build.load.cache_clear()


def test_without_a_compiler(fresh, tmp_path):
    fresh.delenv("CC", raising=False)
    fresh.setenv("PATH", str(tmp_path))
    assert build.native_function("edge_magnet") is None
    assert "no C compiler" in native_status()


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_compiler_that_fails(fresh, tmp_path):
    fresh.setenv("CC", script(tmp_path / "cc", "echo 'error: no OpenMP here' >&2; exit 1"))
    fresh.setenv("CCNN_GEO_CACHE", str(tmp_path / "cache"))
    assert build.native_function("edge_magnet") is None
    assert "no OpenMP here" in native_status()
    assert list((tmp_path / "cache").iterdir()) == []


def test_compiler_that_writes_nonsense(fresh, tmp_path):
    body = 'while [ "$1" != "-o" ]; do shift; done; echo nonsense > "$2"'
    fresh.setenv("CC", script(tmp_path / "cc", body))
    fresh.setenv("CCNN_GEO_CACHE", str(tmp_path / "cache"))
    assert build.native_function("edge_magnet") is None
    assert native_status().startswith("No native code")


def test_the_summary_says_why_there_is_none(fresh, tmp_path):
    fresh.setenv("CC", script(tmp_path / "cc", "echo 'error: no OpenMP here' >&2; exit 1"))
    fresh.setenv("CCNN_GEO_CACHE", str(tmp_path / "cache"))
    assert build.native_summary() == f"none: {tmp_path / 'cc'} failed, error: no OpenMP here"
    fresh.setenv("CCNN_GEO_NATIVE", "0")
    assert build.native_summary() == "off: CCNN_GEO_NATIVE=0"


def test_the_summary_names_functions_that_are_missing(fresh):
    def pretend(name):
        return build.Native(None if name == "gelu" else len, "No native code: cc failed, no space left.")

    count = len(list(build.PACKAGE.rglob("*.c")))
    fresh.setattr(build, "load", pretend)
    assert build.native_summary() == f"{count - 1} of {count}, without gelu: cc failed, no space left"
    fresh.setattr(build, "load", lambda name: build.Native(len, "Native code is used."))
    assert build.native_summary() == f"all {count} in {build.cache_folder()}"


@pytest.mark.skipif(build.find_compiler() is None, reason="no C compiler")
def test_cache_that_cannot_be_written(fresh, tmp_path):
    (tmp_path / "file").write_text("")
    fresh.setenv("CCNN_GEO_CACHE", str(tmp_path / "file" / "cache"))
    assert build.native_function("edge_magnet") is None
    assert "file" in native_status()


@pytest.mark.skipif(build.find_compiler() is None, reason="no C compiler")
def test_a_user_without_a_home(fresh):
    """A container may run as any number, of which the system knows nothing."""

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    for name in ("CCNN_GEO_CACHE", "XDG_CACHE_HOME"):
        fresh.delenv(name, raising=False)
    fresh.setattr(build.Path, "home", no_home)
    assert build.native_function("edge_magnet") is None
    assert "there is no home folder; set CCNN_GEO_CACHE to another" in native_status()


@needs_native
def test_compiled_once_per_machine(fresh, tmp_path):
    fresh.setenv("CCNN_GEO_CACHE", str(tmp_path))
    assert str(tmp_path) in native_status("edge_extent")
    (library,) = tmp_path.iterdir()
    written = library.stat().st_mtime_ns
    build.load.cache_clear()
    assert build.native_function("edge_extent") is not None
    assert library.stat().st_mtime_ns == written
