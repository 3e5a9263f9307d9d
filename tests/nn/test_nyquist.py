"""Kernels held below the Nyquist rate of the samples: at the start by a limit, in training by a penalty."""

import copy
import math

import pytest
import torch

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.functional.representations import grid_positions
from ccnn_geo.kernels import KERNELS
from ccnn_geo.nn.nyquist import nyquist_penalty, sample_spacing

FAMILIES = sorted(set(KERNELS) - {"mlp"})
SMALL = {"hidden_channels": 6, "num_blocks": 1, "kernel_hidden": 6, "num_neighbors": 16, "window_init": 0.5}


def sphere(n=200, clouds=2):
    pos = torch.nn.functional.normalize(torch.randn(n * clouds, 3), dim=1)
    return torch.randn(n * clouds, 3), pos, torch.arange(clouds).repeat_interleave(n)


def kernels(model):
    return [conv.kernel for conv in model.convs]


def fastest(kernel):
    """The formula, from the parameters: sum over layers of the fastest filter, and the window."""
    network = kernel.network
    window = 0.0 if kernel.window is None else 2 / kernel.window.width.mean().item()
    if hasattr(network, "frequencies"):
        return network.frequencies.abs().max().item() + window
    if hasattr(network, "filters"):
        total = 0.0
        for layer in network.filters:
            gamma = layer.gamma.abs() if hasattr(layer, "gamma") else 0.0
            total += (layer.omega.abs() + 2 * gamma).max().item()
        return total + window
    carson = math.prod(1 + network.omega_0 * w.weight.abs().sum(1).max().item() for w in network.hidden[1:])
    return network.omega_0 * network.hidden[0].weight.abs().max().item() * carson + window


@pytest.mark.parametrize("name", FAMILIES)
def test_no_kernel_starts_above_the_rate(name):
    for spacing in (0.05, 0.2):
        model = CCNN(3, 4, 2, **SMALL, kernel=name, omega_0=50.0, init_spacing=spacing)
        for kernel in kernels(model):
            assert fastest(kernel) <= math.pi / spacing * (1 + 1e-5)
            assert fastest(kernel) > 0.3 * math.pi / spacing  # and not far below
        assert nyquist_penalty(kernels(model), spacing).item() < 1e-9
        free = CCNN(3, 4, 2, **SMALL, kernel=name, omega_0=50.0)
        assert fastest(kernels(free)[0]) > math.pi / spacing
        model.reset_parameters()
        assert nyquist_penalty(kernels(model), spacing).item() < 1e-9


def test_filters_below_the_limit_stay_as_they_are():
    conv = SepFlexConv(3, 4, 2, kernel_hidden=64, omega_0=0.5, window_init=0.5)
    before = copy.deepcopy(conv.kernel)
    spacing = torch.tensor([0.04, 0.06])
    conv.kernel.limit_frequencies(spacing)
    limit = (math.pi / spacing - 2 / 0.5) / 4
    for old, new in zip(before.network.filters, conv.kernel.network.filters, strict=True):
        frequency = old.omega.abs() + 2 * old.gamma.abs()
        slow = (frequency <= limit).all(dim=1)
        assert 0 < slow.sum() < 64
        assert torch.equal(new.omega[slow], old.omega[slow]) and torch.equal(new.gamma[slow], old.gamma[slow])
        reached = ((new.omega.abs() + 2 * new.gamma.abs()) / limit).amax(dim=1)
        torch.testing.assert_close(reached[~slow], torch.ones_like(reached[~slow]), rtol=1e-4, atol=0)
        turned = old.omega / old.gamma - new.omega / new.gamma  # direction and shape
        assert turned.abs().max() < 1e-3 * (old.omega / old.gamma).abs().max()
        assert torch.equal(new.mu, old.mu) and torch.equal(new.phi, old.phi)
    others = [(b, a) for (n, b), a in zip(before.named_parameters(), conv.kernel.parameters(), strict=True)
              if "filters" not in n]  # fmt: skip
    assert len(others) > 5 and all(torch.equal(b, a) for b, a in others)


def test_radius_and_window_count():
    conv = SepFlexConv(3, 4, 1, omega_0=50.0, window_init=0.5, window="tapered", kernel_radius=3.0)
    conv.kernel.limit_frequencies(0.4)
    total = conv.kernel.max_frequency() + conv.kernel.window.spectral_width() / 3.0
    assert total.item() <= math.pi / 0.4 * (1 + 1e-5)


def test_the_first_batch_says_the_spacing_once():
    x, pos, batch = sphere()
    model = CCNN(3, 4, 3, **SMALL, omega_0=50.0, init_spacing="auto")
    start = copy.deepcopy(model.state_dict())
    average = torch.optim.swa_utils.AveragedModel(
        model
    )  # as a training with ema makes one, before the first batch
    out = model(x, pos, batch)
    spacing = sample_spacing(None, pos, batch)
    assert torch.equal(model.first_spacing.value, spacing)
    assert nyquist_penalty(kernels(model), spacing).item() < 1e-9
    assert out.var().item() == pytest.approx(1, rel=1e-4)  # limited first, then scaled
    declared = CCNN(3, 4, 3, **SMALL, omega_0=50.0)
    declared.load_state_dict({k: v for k, v in start.items() if "first_spacing" not in k})
    declared.limit_frequencies(spacing)
    torch.testing.assert_close(declared(x, pos, batch), out)

    with torch.no_grad():
        for kernel in kernels(model):
            kernel.network.filters[0].omega.fill_(100.0)  # it may learn what it likes
    state = copy.deepcopy(model.state_dict())
    loaded = CCNN(3, 4, 3, **SMALL, omega_0=50.0, init_spacing="auto")
    loaded.load_state_dict(state)
    average.update_parameters(model)
    for again in (model, loaded, copy.deepcopy(model), average.module):
        again(x, pos / 9, batch)
        assert all(torch.equal(k.network.filters[0].omega, torch.full((6, 3), 100.0)) for k in kernels(again))
        assert torch.equal(again.first_spacing.value, spacing)
    model.reset_parameters()
    assert not model.first_spacing.is_known


def test_a_grid_says_its_spacing(device):
    model = CCNN(1, 4, 2, **SMALL, omega_0=50.0, init_spacing="auto").to(device)
    model(torch.randn(2, 1, 20, 30, device=device), spacing=[0.1, 0.2])
    assert model.first_spacing.value.tolist() == pytest.approx([0.1, 0.2])
    top = sum((f.omega.abs() + 2 * f.gamma).amax(0) for f in model.stem.kernel.network.filters) + 2 / 0.5
    assert (top.cpu() <= math.pi / torch.tensor([0.1, 0.2]) * (1 + 1e-5)).all()


def test_without_the_argument_nothing_is_new():
    model = CCNN(3, 4, 3, **SMALL)
    assert not any("spacing" in k for k in model.state_dict() if "reference_spacing" not in k)


def test_spacing_of_samples():
    assert sample_spacing(torch.zeros(1, 1, 5, 9)).tolist() == [0.25, 0.25]
    grid = grid_positions((12, 12))
    found = sample_spacing(
        None, torch.cat([grid, 2 * grid, 2.1 * grid]), torch.arange(3).repeat_interleave(144)
    )
    assert found.tolist() == pytest.approx([4 / 11] * 2, rel=0.1)  # the median cloud
    assert sample_spacing(None, grid, None, 0.3).tolist() == pytest.approx([0.3, 0.3])
    with pytest.raises(ValueError, match=r"at least six distinct points .* got 4 points"):
        sample_spacing(None, torch.rand(4, 3))


def test_penalty_by_its_formula():
    conv = SepFlexConv(3, 4, 2, kernel_hidden=5, omega_0=3.0, window_init=0.4, kernel_radius=2.0).double()
    h = (0.2, 0.3)
    expected = 0.0
    for layer in conv.kernel.network.filters:
        for j in range(5):
            for d in range(2):
                f = (abs(layer.omega[j, d].item()) + 2 * abs(layer.gamma[j, d].item())) / 2.0
                part = (4 * f + 2 / 0.4 / 2.0) * h[d] / math.pi - 1
                expected += max(0.0, part) ** 2
    assert expected > 1
    assert nyquist_penalty([conv.kernel, conv.kernel], h).item() == pytest.approx(2 * expected, rel=1e-6)
    assert nyquist_penalty([conv.kernel], 1e-3) == 0


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "random_fourier"])
def test_its_gradient_pushes_frequencies_back(name):
    model = CCNN(3, 4, 3, **SMALL, kernel=name, omega_0=10.0 if name == "siren" else 2.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02 if name == "siren" else 0.5)
    before = nyquist_penalty(kernels(model), 0.2).item()
    assert before > 1
    for _ in range(250):
        optimizer.zero_grad()
        penalty = nyquist_penalty(kernels(model), 0.2)
        if penalty == 0:
            break
        penalty.backward()
        optimizer.step()
    assert penalty < 1e-3 * before
    assert all(fastest(kernel) < 1.05 * math.pi / 0.2 for kernel in kernels(model))


def test_a_window_narrower_than_the_samples_widens():
    conv = SepFlexConv(3, 4, 2, kernel_hidden=8, omega_0=0.1, window_init=0.05)
    optimizer = torch.optim.Adam(conv.kernel.parameters(), lr=0.1)
    before = nyquist_penalty([conv.kernel], 0.3).item()
    for _ in range(200):
        optimizer.zero_grad()
        penalty = nyquist_penalty([conv.kernel], 0.3)
        penalty.backward()
        optimizer.step()
    assert penalty < 1e-3 * before
    assert conv.kernel.window.width.min() > 2 * 0.3 / math.pi


def test_what_cannot_be():
    with pytest.raises(ValueError, match="expected init_spacing to be a number, 'auto' or None, got 'first'"):
        CCNN(3, 4, 3, **SMALL, init_spacing="first")
    with pytest.raises(ValueError, match=r"expected a spacing > 0 and finite, got -0\.1"):
        CCNN(3, 4, 3, **SMALL, init_spacing=-0.1)
    with pytest.raises(
        ValueError, match=r"the window alone has up to 4, 4, 4; expected window_init above 1\.27"
    ):
        CCNN(3, 4, 3, **SMALL, init_spacing=2.0)
    with pytest.raises(ValueError, match="MLPKernel: expected a kernel with frequencies"):
        CCNN(3, 4, 3, **SMALL, kernel="mlp", init_spacing=0.1)
    with pytest.raises(ValueError, match="at least one kernel"):
        nyquist_penalty([], 0.1)
