"""State dicts with the names that buffers had before: they load, strictly, and give the same outputs."""

import re

import pytest
import torch

from ccnn_geo import CCNN, FlexConv, JointCCNN, SepFlexConv
from ccnn_geo.nn.old_keys import with_new_keys

SIZES = {"hidden_channels": 4, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.5}
SEES_ALL = {"num_neighbors": None, "measure": "quadrature"}


def name_of_format_1(key, network):
    owner = (
        network.get_submodule(key.rpartition(".scale.moment")[0]) if key.endswith("scale.moment") else None
    )
    before = {"Head": "first_variance", "SharedConv": "mean_square"}.get(
        type(owner).__name__, "effective_taps"
    )
    key = re.sub(r"scale\.moment$", before, key)
    key = re.sub(r"\bmeasure\.", "quadrature.", key.replace("grid.reference_spacing", "reference_spacing"))
    return key.replace("head.first_variance", "first_variance").replace("head.linear.", "head.")


def name_without_head(key, network):
    """Of before the head was a part."""
    key = key.replace("head.scale.", "scale.").replace("head.norm.", "pool_norm.")
    return key.replace("head.linear.", "head.")


def cloud():
    torch.manual_seed(1)
    return torch.randn(40, 2), torch.rand(40, 3)


NETWORKS = {
    "layer": lambda: SepFlexConv(2, 3, 3, omega_0=1.0, window_init=0.5, **SEES_ALL),
    "dense": lambda: FlexConv(2, 3, 3, omega_0=1.0, window_init=0.5, num_neighbors=8),
    "network": lambda: CCNN(2, 3, 3, **SIZES, **SEES_ALL),
    "largest": lambda: CCNN(2, 3, 3, num_neighbors=8, pool="mean_max", **SIZES),
    "joint": lambda: JointCCNN({kind: CCNN(2, 3, 3, num_neighbors=8, **SIZES) for kind in "ab"})["a"],
}


@pytest.mark.parametrize("old_name", [name_of_format_1, name_without_head])
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_names_of_before_load(make, old_name):
    used, fresh = make(), make()
    used.eval()
    expected = used(*cloud())  # which sets the scales
    state = used.state_dict()
    old = {old_name(key, used): value for key, value in state.items()}
    assert set(old) != set(state) or not isinstance(used, CCNN)
    fresh.load_state_dict(old)
    assert all(torch.equal(value, state[key]) for key, value in fresh.state_dict().items())
    torch.testing.assert_close(fresh.eval()(*cloud()), expected)
    assert with_new_keys(fresh, old).keys() == state.keys()


def test_weights_without_a_scale_are_taken_as_they_are():
    used, fresh = NETWORKS["layer"](), NETWORKS["layer"]()
    expected = used(*cloud())
    state = {key: value for key, value in used.state_dict().items() if key != "scale.moment"}
    assert fresh.load_state_dict(state, strict=False).missing_keys == ["scale.moment"]
    assert fresh.scale.is_known
    torch.testing.assert_close(fresh(*cloud()), expected)
