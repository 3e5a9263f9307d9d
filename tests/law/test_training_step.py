"""One step of training on a device is that of the CPU, and on grids waits for nothing."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from ccnn_geo import CCNN

SIZES = {"hidden_channels": 6, "num_blocks": 1, "kernel_hidden": 4, "omega_0": 1.0, "window_init": 0.4}
CASES = {
    "sequence": (1, {"causal": True}, (30,)),
    "image": (2, {"pool": "mean_max"}, (7, 8)),
    "image, dense and direct": (2, {"block": "flex", "method": "direct"}, (7, 8)),
    "cloud": (3, {"num_neighbors": 9, "measure": "density"}, None),
    "cloud, whole": (3, {"num_neighbors": None, "measure": "quadrature", "init_spacing": "auto"}, None),
}


def step(model, optimizer, inputs, y):
    optimizer.zero_grad()
    loss = cross_entropy(model(*inputs), y)
    loss.backward()
    optimizer.step()
    return loss.detach()


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_that_of_the_cpu(name, device, record_waits):
    dim, options, size = CASES[name]
    model = CCNN(3, 4, dim, **{**SIZES, **options})
    inputs = (
        (torch.randn(2, 3, *size),)
        if size is not None
        else (torch.randn(40, 3), torch.rand(40, dim) * 2 - 1, torch.arange(40) // 20)
    )
    y = torch.tensor([1, 3])
    model(*inputs)  # what the first batch sets
    here = copy.deepcopy(model).to(device)
    on_device, labels = [t.to(device) for t in inputs], y.to(device)
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (model, here)]
    for _ in range(2):
        expected = step(model, optimizers[0], inputs, y)
        with record_waits() as waits:
            found = step(here, optimizers[1], on_device, labels)
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-5)
    if size is not None:  # the host has heard by now of what it has to know
        assert not waits
    state = here.state_dict()
    floor = 1e-5  # a bias before a norm has no gradient but that of rounding
    for key, value in model.state_dict().items():
        torch.testing.assert_close(
            state[key].cpu(), value, rtol=1e-3, atol=1e-4 * float(value.abs().amax()) + floor, msg=key
        )
