r"""Assertions that hold for every continuous convolution, to test your own layers and models.

Each compares values and, where it makes sense, gradients by the relative error
:math:`\lVert a - b \rVert / \lVert b \rVert`, and raises an ``AssertionError`` that names the difference.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ccnn_geo.functional.representations import grid_positions, grid_spacing
from ccnn_geo.neighbors import Neighbors, build_neighbors
from ccnn_geo.neighbors.measure import lattice_measure
from ccnn_geo.nn.conv.base import ContinuousConv

__all__ = [
    "TOLERANCE",
    "assert_bipartite_matches_square",
    "assert_causal",
    "assert_close",
    "assert_fft_matches_direct",
    "assert_grid_matches_points",
    "assert_matches_definition",
    "assert_methods_agree",
    "assert_permutation_equivariant",
    "assert_ragged_matches_single",
    "assert_same_function",
    "assert_translation_invariant",
    "assert_unit_variance",
    "plain_sum",
]

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Relative error that counts as equal, by precision."""


def assert_close(actual: Tensor, expected: Tensor, tol: float | None = None, what: str = "values") -> None:
    """Asserts a relative error of at most ``tol``; ``None`` chooses it by precision."""
    if actual.shape != expected.shape:
        raise AssertionError(f"{what}: shape {list(actual.shape)} is not {list(expected.shape)}")
    if actual.numel() == 0:
        return
    tol = TOLERANCE.get(actual.dtype, 1e-4) if tol is None else tol
    error, scale = (actual - expected).double().norm().item(), expected.double().norm().item()
    if not error <= tol * max(scale, torch.finfo(torch.float64).tiny):
        raise AssertionError(f"{what}: relative error {error / max(scale, 1e-300):.3g} exceeds {tol:.3g}")


def assert_same_function(
    first: Callable[..., Tensor],
    second: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    parameters: Sequence[Tensor] = (),
    tol: float | None = None,
    what: str = "function",
) -> None:
    """Asserts that two functions agree in values and in the gradients of all inputs and parameters."""
    results = []
    cotangent = None
    for function in (first, second):
        leaves = [t.detach().clone().requires_grad_(t.is_floating_point()) for t in inputs]
        out = function(*leaves)
        if cotangent is None:
            generator = torch.Generator(device="cpu").manual_seed(0)
            cotangent = torch.randn(out.shape, generator=generator, dtype=torch.float64).to(out)
        wanted = [t for t in (*leaves, *parameters) if t.requires_grad]
        grads = torch.autograd.grad((out * cotangent).sum(), wanted, allow_unused=True)
        results.append(
            (out, [torch.zeros_like(t) if g is None else g for t, g in zip(wanted, grads, strict=True)])
        )
    (value, value_grads), (expected, expected_grads) = results
    assert_close(value, expected, tol, f"{what}: values")
    scale = max((g.double().norm().item() for g in expected_grads), default=0.0)
    for i, (g, e) in enumerate(zip(value_grads, expected_grads, strict=True)):
        if e.double().norm() > 1e-8 * scale:
            assert_close(g, e, tol, f"{what}: gradient {i} of shape {list(e.shape)}")
        elif g.double().norm() > 1e-5 * scale:  # below this, both are rounding errors of zero
            raise AssertionError(f"{what}: gradient {i} of shape {list(e.shape)} should be zero")


def plain_sum(
    conv: ContinuousConv, x: Tensor, pos_src: Tensor, pos_dst: Tensor, weight: Tensor | None = None
) -> Tensor:
    r"""The definition over all pairs, :math:`y(p_i) = \sum_j w_j k(p_i - p_j) x(p_j)`, in O(N M) memory.

    Shapes:
        - **x:** :math:`(N, C)`; **pos_src:** :math:`(N, D)`; **pos_dst:** :math:`(M, D)`; **weight:** :math:`(N)`
        - **output:** :math:`(M, C)`, or :math:`(M, C_{out})` for a dense kernel; without bias and pointwise layer
    """
    kernel = conv.kernel.definition(pos_dst.unsqueeze(1) - pos_src.unsqueeze(0))
    if weight is not None:
        kernel = kernel * weight.view(1, -1, 1)
    if conv.dense:
        return torch.einsum("mnoc,nc->mo", kernel.unflatten(-1, (conv.out_channels, conv.in_channels)), x)
    return torch.einsum("mnc,nc->mc", kernel, x)


def assert_matches_definition(
    conv: ContinuousConv, x: Tensor, pos: Tensor, pos_dst: Tensor | None = None, tol: float | None = None
) -> None:
    """Asserts that the point path with all pairs equals :func:`plain_sum`, in values and gradients."""
    target = pos if pos_dst is None else pos_dst
    neighbors = build_neighbors(pos, num_neighbors=None, pos_dst=pos_dst)
    conv(x, (pos, target), neighbors)  # a fresh layer sets its scale on the first batch

    def by_path(x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        return conv.aggregate_neighbors(x, (source, target), neighbors)

    def by_definition(x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        return plain_sum(conv, x, source, target)

    parameters = list(conv.kernel.parameters())
    assert_same_function(by_path, by_definition, (x, pos, target), parameters, tol, "definition")


def assert_methods_agree(
    conv: ContinuousConv,
    x: Tensor,
    pos: Tensor,
    edge_index: Tensor | Neighbors,
    tol: float | None = None,
) -> None:
    """Asserts that the chunked path equals one message per edge, in values and gradients."""
    conv(x, pos, edge_index)
    plain = copy.deepcopy(conv)
    plain.method = "plain"
    plain_parameters = dict(plain.named_parameters())
    for name, parameter in conv.named_parameters():  # shared, so that gradients are comparable
        module, _, leaf = name.rpartition(".")
        setattr(plain.get_submodule(module), leaf, parameter)
    if not plain_parameters:
        raise AssertionError("methods: the layer has no parameters")

    def by_path(layer: ContinuousConv) -> Callable[..., Tensor]:
        return lambda x, pos: layer(x, pos, edge_index)

    assert_same_function(
        by_path(conv), by_path(plain), (x, pos), list(conv.parameters()), tol, "edge path against messages"
    )


def assert_grid_matches_points(
    conv: ContinuousConv,
    x_grid: Tensor,
    spacing: float | Sequence[float] | None = None,
    tol: float | None = None,
) -> None:
    """Asserts that a grid and its cells as points, with all pairs, give the same values and gradients."""
    size = x_grid.shape[2:]
    pos = grid_positions(size, spacing, dtype=x_grid.dtype, device=x_grid.device)
    pos = pos.repeat(x_grid.size(0), 1)
    batch = torch.arange(x_grid.size(0), device=x_grid.device).repeat_interleave(size.numel())
    neighbors = build_neighbors(pos, batch, num_neighbors=None)
    conv(x_grid, spacing=spacing)
    reference = conv.grid.reference_spacing.tolist()
    measure = lattice_measure(grid_spacing(size, spacing), reference, conv.dim) if all(reference) else 1.0
    weight = torch.full((pos.size(0),), float(measure), dtype=x_grid.dtype, device=x_grid.device)

    def on_grid(x: Tensor) -> Tensor:
        return conv(x, spacing=spacing)

    def on_points(x: Tensor) -> Tensor:
        out = conv(x.flatten(2).mT.flatten(0, 1), pos, neighbors, weight=weight)
        return out.unflatten(0, (x.size(0), -1)).mT.unflatten(2, size)

    assert_same_function(on_grid, on_points, (x_grid,), list(conv.parameters()), tol, "grid against points")


def assert_fft_matches_direct(conv: ContinuousConv, x_grid: Tensor, tol: float | None = None) -> None:
    """Asserts that both ways to convolve a grid give the same values and gradients."""
    conv(x_grid)
    method = conv.method

    def by(method: str) -> Callable[[Tensor], Tensor]:
        def run(x: Tensor) -> Tensor:
            conv.method = method
            return conv(x)

        return run

    try:
        assert_same_function(
            by("fft"), by("direct"), (x_grid,), list(conv.parameters()), tol, "FFT against direct"
        )
    finally:
        conv.method = method


def assert_bipartite_matches_square(
    conv: ContinuousConv, x: Tensor, pos: Tensor, edge_index: Tensor | Neighbors, tol: float | None = None
) -> None:
    """Asserts that a layer gives the same output if its own points are passed as separate targets."""
    expected = conv(x, pos, edge_index)
    assert_close(conv((x, None), (pos, pos.clone()), edge_index), expected, tol, "bipartite against square")


def assert_permutation_equivariant(
    module: nn.Module, x: Tensor, pos: Tensor, global_output: bool = False, tol: float | None = None
) -> None:
    """Asserts that reordering the points of a cloud reorders the output, or leaves a global output unchanged."""
    order = torch.randperm(x.size(0), generator=torch.Generator().manual_seed(0)).to(x.device)
    expected = module(x, pos)
    actual = module(x[order], pos[order])
    assert_close(actual, expected if global_output else expected[order], tol, "permutation")


def assert_translation_invariant(
    module: nn.Module, x: Tensor, pos: Tensor, shift: float = 0.5, tol: float | None = None
) -> None:
    """Asserts that shifting all points together changes nothing."""
    expected = module(x, pos)
    assert_close(module(x, pos + shift), expected, tol, "translation")


def assert_ragged_matches_single(
    module: nn.Module, x: Tensor, pos: Tensor, batch: Tensor, tol: float | None = None
) -> None:
    """Asserts that a batch of clouds of different sizes gives the same outputs as the clouds one by one."""
    together = module(x, pos, batch=batch)
    parts = [module(x[batch == b], pos[batch == b]) for b in batch.unique().tolist()]
    assert_close(together, torch.cat(parts), tol, "ragged batch")


def assert_causal(module: nn.Module, x_grid: Tensor) -> None:
    """Asserts that outputs of a sequence ``[B, C, L]`` do not depend on later inputs."""
    x = x_grid.detach().clone().requires_grad_()
    length = x.size(-1)
    own, leaks = 0.0, {}
    for position in sorted({0, length // 3, length // 2, max(0, length - 2)}):
        (grad,) = torch.autograd.grad(module(x)[..., position].square().sum(), x)
        now, later = grad[..., : position + 1].abs().max().item(), grad[..., position + 1 :]
        own = max(own, now)  # over all positions, because a kernel may be zero at lag 0
        leaks[position] = later.abs().max().item() if later.numel() > 0 else 0.0
    for position, leak in leaks.items():
        if not leak <= 1e-6 * own:
            raise AssertionError(
                f"causality: output {position} depends on later inputs, {leak:.3g} of {own:.3g}"
            )


def assert_unit_variance(module: nn.Module, *inputs: Tensor, low: float = 0.5, high: float = 2.0) -> None:
    """Asserts that the outputs of a fresh module have a variance in ``[low, high]``."""
    with torch.no_grad():
        variance = module(*inputs).var().item()
    if not low <= variance <= high:
        raise AssertionError(f"initialisation: variance {variance:.3g} is outside [{low:g}, {high:g}]")
