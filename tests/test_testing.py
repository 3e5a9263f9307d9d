"""The assertions for users' own layers: each lets a right layer pass and catches a wrong one."""

import pytest
import torch

from ccnn_geo import SepFlexConv, testing
from ccnn_geo.neighbors import knn_graph

SIZES = {"kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.5}


class Wrong(SepFlexConv):
    """One per cent too much on one path, ``when``; right on the others."""

    def __init__(self, when):
        super().__init__(2, 2, 2, **SIZES)
        self.when = when

    def forward(self, x, pos=None, *args, **kwargs):
        out = super().forward(x, pos, *args, **kwargs)
        return 1.01 * out if self.when(self, x, pos) else out

    def aggregate_neighbors(self, *args, **kwargs):
        out = super().aggregate_neighbors(*args, **kwargs)
        return 1.01 * out if self.when(self, None, None) else out


POS = torch.rand(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
X = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
GRID = torch.randn(2, 2, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
EDGES = knn_graph(POS, 5)
LAYERS = {
    "definition": (lambda conv: testing.assert_matches_definition(conv, X, POS), lambda *_: True),
    "edge path against messages": (
        lambda conv: testing.assert_methods_agree(conv, X, POS, EDGES),
        lambda conv, *_: conv.method == "plain",
    ),
    "grid against points": (
        lambda conv: testing.assert_grid_matches_points(conv, GRID),
        lambda conv, x, pos: x is not None and pos is None,
    ),
    "FFT against direct": (
        lambda conv: testing.assert_fft_matches_direct(conv, GRID),
        lambda conv, *_: conv.method == "fft",
    ),
    "bipartite against square": (
        lambda conv: testing.assert_bipartite_matches_square(conv, X, POS, EDGES),
        lambda conv, x, pos: isinstance(x, tuple),
    ),
}


@pytest.mark.parametrize("what", LAYERS)
def test_layers(what):
    check, when = LAYERS[what]
    check(Wrong(lambda *_: False).double())
    with pytest.raises(AssertionError, match=f"{what}.* relative error .* exceeds 1e-10"):
        check(Wrong(when).double())


BATCH = torch.arange(20) // 7
MODULES = {
    "permutation": (
        lambda f: testing.assert_permutation_equivariant(f, X, POS),
        lambda x, pos, batch=None: x * torch.arange(len(x)).unsqueeze(1),
    ),
    "translation": (lambda f: testing.assert_translation_invariant(f, X, POS), lambda x, pos: x * pos),
    "ragged batch": (
        lambda f: testing.assert_ragged_matches_single(f, X, POS, BATCH),
        lambda x, pos, batch=None: x - x.mean(),
    ),
    "causality: output 0 depends on later inputs": (
        lambda f: testing.assert_causal(f, torch.randn(1, 2, 9)),
        lambda x, *_: x + 0.1 * x.flip(-1),
    ),
    "initialisation: variance": (
        lambda f: testing.assert_unit_variance(f, torch.randn(1000)),
        lambda x, *_: 3 * x,
    ),
}


@pytest.mark.parametrize("what", MODULES)
def test_functions(what):
    check, wrong = MODULES[what]
    check(lambda x, *_, **__: x)
    with pytest.raises(AssertionError, match=what):
        check(wrong)


def test_gradients_count_as_values_do():
    with pytest.raises(AssertionError, match=r"gradient 0 of shape \[3\]: relative error"):
        testing.assert_same_function(
            lambda x: 2 * x, lambda x: 2 * x.detach() + x - x.detach(), [torch.ones(3)]
        )
    with pytest.raises(AssertionError, match=r"gradient 1 of shape \[3\] should be zero"):
        testing.assert_same_function(
            lambda x, y: x + y - y.detach(), lambda x, y: x + 0 * y, [torch.ones(3), torch.ones(3)]
        )
    with pytest.raises(AssertionError, match=r"values: shape \[2\] is not \[3\]"):
        testing.assert_close(torch.ones(2), torch.ones(3))
    with pytest.raises(AssertionError, match="exceeds"):
        testing.assert_close(torch.tensor([torch.nan]), torch.ones(1))


def test_weights_of_the_definition():
    conv = SepFlexConv(2, 2, 2, **SIZES).double()
    weight = torch.rand(20, dtype=torch.float64)
    expected = testing.plain_sum(conv, X * weight.unsqueeze(1), POS, POS)
    testing.assert_close(testing.plain_sum(conv, X, POS, POS, weight), expected)
