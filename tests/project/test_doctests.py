"""Examples in docstrings run and print what they say."""

import doctest
import importlib
import importlib.util
import pkgutil
from pathlib import Path

import pytest
import torch

import ccnn_geo
import ccnn_geo.datasets
import ccnn_geo.experiments

PACKAGES = ccnn_geo, ccnn_geo.datasets, ccnn_geo.experiments  # the last two lie elsewhere in the tree
HAS_TRITON = importlib.util.find_spec("triton") is not None  # there is none for macOS and Windows
FILES = {
    m.name: Path(m.module_finder.find_spec(m.name).origin)
    for p in PACKAGES
    for m in pkgutil.walk_packages(p.__path__, f"{p.__name__}.")
    if not m.name.startswith("ccnn_geo.cli")
    if HAS_TRITON or ".fused." not in m.name
}


def test_modules_can_be_imported():
    for name in sorted(FILES):
        importlib.import_module(name)


@pytest.mark.parametrize(
    "name", sorted(name for name, file in FILES.items() if ">>>" in file.read_text(encoding="utf-8"))
)
def test_examples(name):
    module = importlib.import_module(name)
    names = {"torch": torch, "CCNN": ccnn_geo.CCNN}
    assert doctest.testmod(module, extraglobs=names).failed == 0
