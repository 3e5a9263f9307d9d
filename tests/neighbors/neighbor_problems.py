"""Clouds that are hard for a neighbour search, its definition in numpy, and the backends it is asked of."""

import importlib.util

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

needs_cluster = pytest.mark.skipif(
    importlib.util.find_spec("torch_cluster") is None,
    reason="torch-cluster is not installed: pip install ccnn_geo[accel] (needs a compiler)",
)

needs_pyg_lib = pytest.mark.skipif(
    importlib.util.find_spec("pyg_lib") is None,
    reason="pyg-lib is not installed: pip install ccnn_geo[accel], where there is a wheel for this torch",
)

BACKENDS = [
    *("torch", "scipy", "device", "auto"),
    pytest.param("cluster", marks=needs_cluster),
    pytest.param("pyg_lib", marks=needs_pyg_lib),
]


def oracle(src, dst, batch_src, batch_dst, k=None, r=None, loop=True):
    """The definition, target by target, in numpy."""
    src, dst = src.double().numpy(), dst.double().numpy()
    batch_src, batch_dst = batch_src.numpy(), batch_dst.numpy()
    edges = [np.zeros((2, 0), dtype=np.int64)]
    for i in range(len(dst)):
        d2 = np.zeros(len(src))
        for axis in range(src.shape[1]):
            d2 = d2 + (dst[i, axis] - src[:, axis]) ** 2
        allowed = batch_src == batch_dst[i]
        if not loop:
            allowed[i] = False
        if r is not None:
            allowed &= d2 <= r * r
        chosen = np.nonzero(allowed)[0]
        chosen = chosen[np.lexsort((chosen, d2[chosen]))][:k]
        edges.append(np.stack((chosen, np.full_like(chosen, i))))
    return torch.from_numpy(np.concatenate(edges, axis=1))


def make_cloud(kind, num, dim, generator):
    if kind == "random":
        return torch.randn(num, dim, generator=generator)
    if kind == "lattice":  # massive ties, and near-ties from rounding
        return torch.randint(0, 4, (num, dim), generator=generator) * 0.3
    if kind == "exact lattice":
        return torch.randint(-2, 3, (num, dim), generator=generator).double()
    if kind == "duplicates":
        return torch.randn(1 + num // 8, dim, generator=generator)[torch.arange(num) % (1 + num // 8)]
    if kind == "collinear":
        return torch.randint(0, 50, (num, 1), generator=generator) * torch.ones(dim)
    return torch.zeros(num, dim)


KINDS = ["random", "lattice", "exact lattice", "duplicates", "collinear", "zeros"]


@st.composite
def problems(draw):
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    dim = draw(st.integers(1, 4))
    sizes = draw(st.lists(st.sampled_from([0, 1, 2, 3, 7, 16, 16, 40]), min_size=1, max_size=4))
    pos = torch.cat([make_cloud(draw(st.sampled_from(KINDS)), n, dim, generator).double() for n in sizes])
    batch = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    dtype = draw(st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
    k = draw(st.sampled_from([1, 2, 5, 15, 16, 39, 256, None]))
    r = draw(st.sampled_from([None, None, 0.0, 0.3, 1.0, 100.0]))
    return pos.to(dtype), batch, k, r
