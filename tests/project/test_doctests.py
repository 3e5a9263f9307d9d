"""Examples in docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest
import torch

import ccnn_geo
import ccnn_geo.datasets
import ccnn_geo.experiments

PACKAGES = ccnn_geo, ccnn_geo.datasets, ccnn_geo.experiments  # the last two lie elsewhere in the tree
MODULES = sorted({m.name for p in PACKAGES for m in pkgutil.walk_packages(p.__path__, f"{p.__name__}.")})


@pytest.mark.parametrize("name", [n for n in MODULES if not n.startswith("ccnn_geo.cli")])
def test_examples(name):
    module = importlib.import_module(name)
    names = {"torch": torch, "CCNN": ccnn_geo.CCNN}
    assert doctest.testmod(module, extraglobs=names).failed == 0
