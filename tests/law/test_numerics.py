"""Mixed precision: bfloat16 autocast learns what float32 learns, and parameters stay float32."""

import contextlib

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from ccnn_geo import CCNN
from ccnn_geo.nn.pooling import pool_clouds

SIZES = {"hidden_channels": 8, "num_blocks": 1, "kernel_hidden": 4}


def tones(n):
    """Low and high tones in noise, as sequences."""
    y = torch.arange(n) % 2
    phase = torch.arange(64) * (0.2 + 0.4 * y[:, None]) + 6.28 * torch.rand(n, 1)
    return (torch.sin(phase).unsqueeze(1) + 0.5 * torch.randn(n, 1, 64),), y


def bodies(n):
    """Spheres and flat ones of one mean radius, as 64 points each."""
    y = torch.arange(n) % 2
    ball = normalize(torch.randn(n, 64, 3), dim=2)
    flat = ball * torch.tensor([1.0, 1.0, 0.4])
    flat = flat / flat.norm(dim=2).mean(dim=1)[:, None, None]
    pos = torch.where(y[:, None, None] == 0, ball, flat).flatten(0, 1)
    return (
        torch.cat([torch.ones_like(pos[:, :1]), pos], dim=1),
        pos,
        torch.arange(n).repeat_interleave(64),
    ), y


TASKS = {
    "sequences": (tones, lambda: CCNN(1, 2, 1, causal=True, omega_0=30.0, window_init=0.3, **SIZES)),
    "points": (bodies, lambda: CCNN(4, 2, 3, omega_0=0.5, window_init=0.5, num_neighbors=16, **SIZES)),
}


def train(task, autocast):
    make, build = TASKS[task]
    torch.manual_seed(0)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    precision = torch.autocast("cpu", torch.bfloat16) if autocast else contextlib.nullcontext()
    losses = []
    for _ in range(30):
        inputs, y = make(16)
        with precision:
            out = model(*inputs)
            loss = cross_entropy(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert out.dtype == (torch.bfloat16 if autocast else torch.float32)
    for name, p in model.named_parameters():
        assert p.dtype == torch.float32 and p.isfinite().all(), name
        assert p.grad is not None and p.grad.dtype == torch.float32, name
    with torch.no_grad(), precision:
        inputs, y = make(64)
        accuracy = (model.eval()(*inputs).argmax(1) == y).float().mean().item()
    return losses, accuracy


@pytest.mark.parametrize("task", TASKS)
def test_bfloat16_learns_what_float32_learns(task):
    (losses, accuracy), (expected, reference) = train(task, True), train(task, False)
    assert losses[0] == pytest.approx(expected[0], rel=0.1)  # the same function, but for rounding
    assert reference > 0.85 and abs(accuracy - reference) < 0.1
    assert sum(losses[-5:]) == pytest.approx(sum(expected[-5:]), rel=0.3, abs=0.3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_means_over_many_points_are_summed_in_float32(dtype, weighted):
    h = (1 + 0.1 * torch.randn(6000, 3, generator=torch.Generator().manual_seed(0))).to(dtype)
    batch, weight = torch.arange(6000) // 3000, torch.ones(6000) if weighted else None
    expected = h.double().view(2, 3000, 3).mean(dim=1)
    torch.testing.assert_close(
        pool_clouds("mean", h, batch, weight=weight).double(), expected, rtol=1e-4, atol=0
    )
