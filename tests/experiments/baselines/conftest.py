"""What every baseline is put through."""

import pytest
import torch


@pytest.fixture
def loss_falls():
    """Whether a few steps of training lower the loss on one small batch of three classes."""

    def falls(model, x, steps=12):
        target = torch.arange(x.size(0)) % 3
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        losses = []
        for _ in range(steps):
            loss = torch.nn.functional.cross_entropy(model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        return losses[-1] < 0.7 * losses[0]

    return falls
