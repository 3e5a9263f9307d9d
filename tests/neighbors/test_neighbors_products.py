"""Neighbours by a matrix product: the bound on its rounding, and who decides where it leaves the order open."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from ccnn_geo.neighbors import build_neighbors, knn_graph
from ccnn_geo.neighbors import host as host_module
from ccnn_geo.neighbors.exact import search_accelerator
from ccnn_geo.neighbors.products import Products
from ccnn_geo.neighbors.query import make_query


@pytest.fixture(autouse=True)
def without_compiled_functions(monkeypatch):
    monkeypatch.setenv("CCNN_GEO_NATIVE", "0")


def expected(pos, k, loop=True):
    """All differences in torch, and a stable sort."""
    return search_accelerator(make_query(pos, None, None, None, k, None, loop))[0]


def compared(num, dim, scale, shift, seed):
    """Products of a random cloud, what they give, and what the definition gives."""
    generator = np.random.default_rng(seed)
    pos = generator.normal(size=(dim, num)) * scale + shift
    products = Products.of(pos, pos, True)
    near = products.dst @ products.src
    d2 = np.zeros((num, num))
    for axis in pos:
        d2 += (axis[:, None] - axis[None]) ** 2
    return products, near, d2, pos


@pytest.mark.parametrize("dim", [1, 2, 3, 8])
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (1e-3, 1e6), (1e40, 0), (1e-40, 0), (1, -1e9)])
def test_products_stay_within_half_the_gap(dim, scale, shift):
    products, near, d2, _ = compared(60, dim, scale, shift, dim)
    error = near - d2
    # A common shift keeps them positive; only differences count.
    assert near.min() >= 0
    assert error.max() - error.min() < products.gap / 2


def test_differences_of_products_against_exact_arithmetic():
    products, near, _, pos = compared(12, 3, 1.0, 7.0, 0)
    exact = [
        [sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(p, q, strict=True)) for q in pos.T]
        for p in pos.T
    ]
    error = [
        float(Fraction(n) - e)
        for row, line in zip(near, exact, strict=True)
        for n, e in zip(row, line, strict=True)
    ]
    assert max(error) - min(error) < products.gap / 2


@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize("k", [1, 20, 255, 299, 300, 400, None])
def test_edges_are_those_of_the_definition(k, loop, monkeypatch):
    pos = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    answers = []
    original = Products.nearest

    def spy(self, rows, k):
        answers.append(original(self, rows, k))
        return answers[-1]

    monkeypatch.setattr(Products, "nearest", spy)
    found = build_neighbors(pos, None, k, loop=loop, backend="torch").edge_index
    assert torch.equal(found, expected(pos, k, loop))
    assert answers and all(certain for _, certain in answers)


def test_bipartite_edges():
    generator = torch.Generator().manual_seed(1)
    src, dst = torch.randn(200, 2, generator=generator), 3 * torch.randn(90, 2, generator=generator)
    query = make_query(src, None, dst, None, 9, None, True)
    found = build_neighbors(src, None, 9, None, dst, backend="torch")
    assert torch.equal(found.edge_index, search_accelerator(query)[0])


@pytest.mark.parametrize("distance", [0.0, 1e-13, 1e-9, 1e-2])
def test_what_rounding_leaves_open_is_left_to_the_definition(distance, monkeypatch):
    # The first target sees no tie, targets near the end of the list do.
    pos = torch.randn(400, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    pos[380:390] = pos[390:400] + distance
    pos[370:] += 50
    monkeypatch.setattr(host_module, "_CHUNK_PAIRS", 400 * 50)
    asked = []
    original = host_module.smallest_on_host
    monkeypatch.setattr(host_module, "smallest_on_host", lambda d2, k: asked.append(1) or original(d2, k))
    assert torch.equal(knn_graph(pos, 12, backend="torch"), expected(pos, 12))
    assert bool(asked) == (distance < 1e-2)


@pytest.mark.parametrize("scale", [0.0, 1e-200, 1e200])
def test_no_products_without_a_scale(scale):
    points = np.random.default_rng(0).normal(size=(3, 9)) * scale
    assert Products.of(points, points, True) is None


def test_lattices_are_left_to_the_definition_at_once(monkeypatch):
    axis = torch.linspace(-1, 1, 8)
    pos = torch.cartesian_prod(axis, axis, axis)
    rows = []
    original = Products.nearest
    monkeypatch.setattr(Products, "nearest", lambda self, r, k: rows.append(r) or original(self, r, k))
    assert torch.equal(knn_graph(pos, 27, backend="torch"), expected(pos, 27))
    assert rows == [slice(0, 1)]
