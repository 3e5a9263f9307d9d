"""State-space systems by their definition: dense matrices, and one step after another."""

import numpy as np
import torch
from scipy.signal import cont2discrete

from ccnn_geo.testing import assert_causal, assert_close, assert_same_function

LENGTHS = [1, 2, 3, 16, 17, 31]


def pairs(t):
    """Both of each pair of conjugates, from real and imaginary parts of one."""
    t = torch.view_as_complex(t)
    return torch.cat([t, t.conj()], dim=-1)


def diagonal(layer):
    half = torch.complex(-layer.log_decay.exp(), layer.frequency)
    return torch.diag_embed(torch.cat([half, half.conj()], dim=-1))


def discretised(a, b, log_step, method):
    """Matrices of the sampled system, which scipy has to confirm."""
    step = log_step.exp().view(-1, 1, 1)
    size, b = a.size(-1), b.unsqueeze(-1)
    if method == "bilinear":
        one = torch.eye(size, dtype=a.dtype)
        inverse = torch.linalg.inv(one - step / 2 * a)
        sampled = inverse @ (one + step / 2 * a), inverse @ (step * b)
    else:  # the input as two more rows of the state: the exponential of both
        both = torch.cat([torch.cat([a, b], dim=-1), a.new_zeros(a.size(0), 1, size + 1)], dim=-2)
        whole = torch.linalg.matrix_exp(step * both)
        sampled = whole[:, :size, :size], whole[:, :size, size:]
    with torch.no_grad():
        for channel, dt in enumerate(step.flatten().tolist()):
            system = a[channel].numpy(), b[channel].numpy(), np.zeros((1, size)), np.zeros((1, 1))
            expected = cont2discrete(system, dt, method)
            for matrix, other in zip(sampled, expected, strict=False):
                np.testing.assert_allclose(matrix[channel].numpy(), other, rtol=1e-9, atol=1e-11)
    return sampled


def run(a, b, c, d, x):
    """``y_l = Re c s_l + d x_l`` with ``s_l = a s_{l-1} + b x_l``."""
    state, out = torch.zeros_like(b), []
    for u in x.unbind(-1):
        state = a @ state + b * u[..., None, None]
        out.append((c.unsqueeze(-2) @ state).real.flatten(1) + d * u)
    return torch.stack(out, dim=-1)


def check_layer(layer, length, definition):
    """Values and gradients against the definition, in float64."""
    layer = layer.double()
    x = torch.randn(2, layer.channels, length, dtype=torch.float64)
    assert_same_function(
        layer, lambda x: definition(layer, x), (x,), list(layer.parameters()), what="recurrence"
    )


def check_single_precision(layer, tol):
    """Values and gradients in float32 against float64."""
    x = torch.randn(2, layer.channels, 500)
    results = []
    for dtype in (torch.float64, torch.float32):
        layer, x = layer.to(dtype), x.detach().to(dtype).requires_grad_()
        out = layer(x)
        grads = torch.autograd.grad(
            (out * torch.linspace(-1, 1, 500, dtype=dtype)).sum(), [x, *layer.parameters()]
        )
        results.append([out, *grads])
    for exact, single in zip(*results, strict=True):
        assert single.dtype == torch.float32
        assert_close(single.double(), exact, tol, "float32")


def check_causal(layer):
    assert_causal(layer.double(), torch.randn(2, layer.channels, 20, dtype=torch.float64))
