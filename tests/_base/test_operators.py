"""Every operator keeps what it promises, by torch's own checks, and is in programs what its formula is."""

import copy
import math

import pytest
import torch

from ccnn_geo import SepFlexConv, testing
from ccnn_geo._base.native.build import native_function, native_status
from ccnn_geo._base.operators import FORMULAS
from ccnn_geo.functional.pointwise.grid_linear import grid_linear
from ccnn_geo.functional.pointwise.linear import point_linear
from ccnn_geo.kernels.math.gelu import MIN_SIZE, gelu

OPS = torch.ops.ccnn_geo


def normal(*shape, dtype=torch.float32):
    return torch.randn(shape, dtype=dtype)


def linear(*shape):
    return normal(*shape), normal(6, 5), normal(6)


CASES = {
    "gelu": (lambda: (normal(8, MIN_SIZE // 8), normal(8, MIN_SIZE // 8)), True),
    "gelu-small": (lambda: (normal(3, 4), None), True),
    "gelu-half": (lambda: (normal(3, 4, 5).bfloat16(), None), False),
    "gelu_forward": (lambda: (normal(8, MIN_SIZE // 8), None), False),
    "gelu_backward": (lambda: (normal(8, 9).mT, normal(8, 9).mT), False),
    "grid_linear": (lambda: linear(2, 5, 7), True),
    "grid_linear_forward": (lambda: linear(2, 5, 7), False),
    "grid_linear_backward": (lambda: (normal(2, 6, 7), *linear(2, 5, 7)[:2], [True, False, True]), False),
    "point_linear": (lambda: linear(7, 5), True),
    "point_linear_forward": (lambda: linear(7, 5), False),
    "point_linear_backward": (lambda: (normal(7, 6), *linear(7, 5)[:2], [False, True, True]), False),
}


# opcheck copies what needs gradients and, since torch 2.14, looks for gradients of the copies
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_schema_fake_and_gradients(name):
    make, learns = CASES[name]
    given = make()
    if learns:
        given = [t.requires_grad_() if isinstance(t, torch.Tensor) else t for t in given]
    torch.library.opcheck(getattr(OPS, name.partition("-")[0]).default, tuple(given))
