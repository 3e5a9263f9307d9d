"""A kernel that lacks a method is refused when it is made."""

import pytest

from ccnn_geo.kernels import SIREN
from ccnn_geo.kernels.base import KernelNetwork
from ccnn_geo.nn.conv.base import ContinuousConv

LACKING = {name: vars(SIREN)[name] for name in ("basis", "reset_basis", "oscillating", "max_frequency")}


@pytest.mark.parametrize("name", LACKING)
def test_a_kernel_without_a_method(name):
    methods = {key: value for key, value in LACKING.items() if key != name}
    with pytest.raises(TypeError, match=rf"abstract method '?{name}"):
        type("Mine", (KernelNetwork,), methods)(3, 4, 8, 1, 1.0)


def test_a_layer_without_methods():
    with pytest.raises(TypeError, match=r"abstract methods '?make_mixer'?, '?mix'?, '?reset_mixer"):
        ContinuousConv(1, 1, 1)
