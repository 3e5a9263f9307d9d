"""Examples in docstrings run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest
import torch

import ccnn_geo

MODULES = [m.name for m in pkgutil.walk_packages(ccnn_geo.__path__, "ccnn_geo.")]


@pytest.mark.parametrize(
    "name", [n for n in MODULES if not n.startswith(("ccnn_geo.training", "ccnn_geo.cli"))]
)
def test_examples(name):
    module = importlib.import_module(name)
    names = {"torch": torch, "CCNN": ccnn_geo.CCNN}
    assert doctest.testmod(module, extraglobs=names).failed == 0
