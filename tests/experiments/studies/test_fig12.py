"""Fig. 12: the numbers tell kernels that repeat from kernels that do not, and the study shows both."""

import pytest
import torch

from ccnn_geo import CCNN
from ccnn_geo.experiments.engine.reproduction import Options, run_study
from ccnn_geo.experiments.studies import fig12
from ccnn_geo.visualization import render_kernels


def test_kernels_of_a_period_have_their_power_at_its_harmonics():
    taps = torch.arange(224)
    period = torch.randn(40, 28)
    repeated, white = period[:, taps % 28], torch.randn(40, 224)
    assert fig12.periodic_share(repeated, 28).min() > 0.9
    assert fig12.periodic_share(white, 28).mean() == pytest.approx(0.5, abs=0.03)
    assert fig12.periodic_share(repeated, 24).mean() < 0.65  # another width
    drift = (taps / 224).expand(40, -1) * 100
    assert (
        fig12.periodic_share(white + drift.sub(50) * torch.hann_window(224), 28).mean() < 0.6
    )  # slow changes


def test_correlation_is_that_of_the_overlap():
    kernels = torch.randn(3, 60).double()
    found = fig12.correlation(kernels, 10)
    assert found.shape == (3, 10) and torch.allclose(found[:, 0], torch.ones(3).double())
    centred = kernels - kernels.mean(dim=1, keepdim=True)
    a, b = centred[1, :53], centred[1, 7:]
    assert found[1, 7].item() == pytest.approx((a @ b / (a.norm() * b.norm())).item())
    assert fig12.correlation(kernels, 99).size(1) == 60
    repeated = torch.randn(3, 6).repeat(1, 10)
    assert torch.allclose(fig12.correlation(repeated, 7)[:, 6], torch.ones(3).double())


@pytest.fixture
def network():
    model = CCNN(
        1, 10, 1, hidden_channels=4, num_blocks=1, kernel_hidden=4, omega_0=50.0, causal=True
    ).train()
    model(torch.randn(2, 1, 784))
    with torch.no_grad():
        model.stem.kernel.window.rho.add_(1)
    return model.eval()


def test_fresh_kernels_have_the_windows_of_the_trained_ones(network):
    before, state = render_kernels(network), torch.get_rng_state()
    found = render_kernels(fig12.untrained(network, 0))
    again = render_kernels(fig12.untrained(network, 0))
    assert torch.equal(torch.get_rng_state(), state)
    for old, new, same in zip(before, found, again, strict=True):
        assert torch.equal(old.axes[0], new.axes[0]) and torch.equal(new.values, same.values)
        assert not torch.allclose(old.values, new.values)
    assert all(torch.equal(a.values, b.values) for a, b in zip(before, render_kernels(network), strict=True))


@pytest.mark.parametrize(
    ("scale", "seeds", "accuracy"), [("small", (0, 1), "90.5 ± 0.7 %"), ("paper", (2,), "92.0 %")]
)
def test_the_report_has_a_row_per_layer(scale, seeds, accuracy, network, tmp_path, monkeypatch):
    asked = []

    def train(folder, config, seed, **changes):
        asked.append((config, changes))
        return {"accuracy": 90.0 + seed}

    monkeypatch.setattr(fig12, "train", train)
    monkeypatch.setattr(fig12, "read_network", lambda checkpoint: ({}, network))
    study = run_study(fig12.STUDY, Options(scale, tmp_path, seeds), tmp_path / "out", say=str)
    text = study.read_text()
    assert (
        text.count("| stem |") == text.count("| block 1 |") == 1 and f"validation accuracy {accuracy}" in text
    )
    share = fig12.periodic_share(render_kernels(network)[1].values, fig12.WIDTH[scale]).mean()
    assert f"| {100 * share:.1f}{' ± 0.0' if len(seeds) > 1 else ''} |" in text
    assert (tmp_path / "out/correlation.png").exists() and (
        tmp_path / "out/jobs" / f"network-{seeds[0]}" / "kernels.png"
    ).exists()
    assert len(asked) == len(seeds) and ("trainer__max_epochs" in asked[0][1]) == (scale == "small")
