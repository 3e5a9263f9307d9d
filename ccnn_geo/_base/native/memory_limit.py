"""Memory that this process may use: the machine's, or less if a container or a job has a limit."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

CONTROLLERS = {"": ("", "unified"), "memory": ("memory",)}
"""Subfolders of the control groups' root, by the name in ``/proc/self/cgroup``, empty in version 2."""
FILES = ("memory.max", "memory.limit_in_bytes")
"""Files with the limit of a group in version 2 and 1."""


@functools.cache
def memory_limit(groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes this process may use: the least of the machine's memory and the limits of its control groups.

    Args:
        groups: File that lists the groups of the process.
        root: Mount point of the control groups.
    """
    return min([_installed(), *_limits(groups, root)])


def _installed() -> int:
    """Bytes of the machine's memory; 4 GB if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 1 << 32


def _limits(groups: Path, root: Path) -> Iterator[int]:
    for line in (_read(groups) or "").splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        for name in {"", "memory"}.intersection(names.split(",")):
            # a container may see the host's path, while only the root of its own group is mounted
            parts = [p for p in path.split("/") if p not in ("", "..")]
            for folder in CONTROLLERS[name]:
                for depth in range(len(parts) + 1):
                    for file in FILES:
                        text = (_read(root.joinpath(folder, *parts[:depth], file)) or "").strip()
                        if text.isascii() and text.isdigit():  # it may be "max"
                            yield int(text)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return None
