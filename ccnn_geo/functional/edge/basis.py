"""The basis of a kernel on the edges of a chunk and its derivatives: for any family, and written out for MAGNet.

A basis names the ``tensors`` it depends on. The convolution hands their values to :meth:`prepare` and asks for
:meth:`forward` and :meth:`backward` chunk by chunk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ccnn_geo.functional.edge.chunks import Chunk
from ccnn_geo.kernels.continuous import ContinuousKernel
from ccnn_geo.kernels.math import gabor as gabor_filters
from ccnn_geo.kernels.math import magnet
from ccnn_geo.kernels.math.linear import cross
from ccnn_geo.kernels.math.scratch import Scratch
from ccnn_geo.kernels.window import GaussianWindow

TABLE_EDGES = 6
"""Edges per point from which on it pays to tabulate the sines of the points."""


class EdgeBasis(Protocol):
    """The interface of a basis for the convolution: its state, then values and derivatives chunk by chunk."""

    @property
    def tensors(self) -> Sequence[Tensor]:
        """The tensors that it depends on."""

    def prepare(
        self, tensors: Sequence[Tensor], pos_src: Tensor, pos_dst: Tensor, chunks: Sequence[Chunk]
    ) -> Any:
        """The values that all chunks share: the ``state`` of the other two."""

    def forward(
        self, state: Any, chunk: Chunk, scratch: Scratch, need: Sequence[bool] = ()
    ) -> tuple[Tensor, Any]:
        """Basis ``[T * K, H + 1]``, and what :meth:`backward` needs if ``need`` says what is wanted of it."""

    def backward(
        self, state: Any, chunk: Chunk, saved: Any, grad: Tensor, scratch: Scratch, need: Sequence[bool]
    ) -> list[Tensor | None]:
        """Gradients of the offsets ``[D, T * K]`` and of the tensors, as far as ``need`` asks for them."""


def edge_basis(kernel: ContinuousKernel) -> EdgeBasis:
    """The fastest basis for a kernel."""
    return closed_form_basis(kernel) or AutogradBasis(kernel)


def closed_form_basis(kernel: ContinuousKernel) -> MAGNetBasis | None:
    """The basis written out, if the kernel is one of Gabor filters with no or a Gaussian window."""
    gabor = kernel.network.gabor_layers()
    if gabor is None or not (kernel.window is None or type(kernel.window) is GaussianWindow):
        return None
    return MAGNetBasis(kernel, *gabor)


class AutogradBasis:
    r"""The basis :math:`[w \varphi, w]` of any kernel family, differentiated by autograd chunk by chunk."""

    def __init__(self, kernel: ContinuousKernel) -> None:
        self.module = _BasisInside(kernel)
        output = {id(p) for p in kernel.network.output.parameters()}
        own = {n: p for n, p in self.module.named_parameters() if id(p) not in output}
        self.names, self.tensors = list(own), list(own.values())

    def prepare(
        self, tensors: Sequence[Tensor], pos_src: Tensor, pos_dst: Tensor, chunks: Sequence[Chunk]
    ) -> Sequence[Tensor]:
        """The values that all chunks share."""
        return tensors

    def forward(
        self, state: Sequence[Tensor], chunk: Chunk, scratch: Scratch, need: Sequence[bool] = ()
    ) -> tuple[Tensor, Any]:
        """Basis ``[T * K, H + 1]``, and what :meth:`backward` needs if ``need`` says what is wanted of it."""
        if not any(need):
            return functional_call(
                self.module, dict(zip(self.names, state, strict=True)), (chunk.rel.mT,)
            ), None
        leaves = [t.detach().requires_grad_(n) for t, n in zip((chunk.rel, *state), need, strict=True)]
        with torch.enable_grad():
            values = dict(zip(self.names, leaves[1:], strict=True))
            basis = functional_call(self.module, values, (leaves[0].mT,))
        return basis.detach(), (basis, leaves)

    def backward(
        self,
        state: Sequence[Tensor],
        chunk: Chunk,
        saved: Any,
        grad: Tensor,
        scratch: Scratch,
        need: Sequence[bool],
    ) -> list[Tensor | None]:
        """Gradients of the offsets ``[D, T * K]`` and of the tensors, as far as ``need`` asks for them."""
        basis, leaves = saved
        wanted = [t for t in leaves if t.requires_grad]
        found = iter(torch.autograd.grad(basis, wanted, grad, allow_unused=True))
        return [next(found) if n else None for n in need]


class _BasisInside(nn.Module):
    def __init__(self, kernel: ContinuousKernel) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, rel: Tensor) -> Tensor:
        return self.kernel.basis_inside(rel)


class MAGNetBasis:
    r"""MAGNet's basis with the sines of edges made of those of points, and its window part of the exponents.

    .. math::
        \sin(\omega \cdot (p_i - p_j) + \phi)
        = \sin(\omega \cdot p_i + \phi) \cos(\omega \cdot p_j) - \cos(\omega \cdot p_i + \phi) \sin(\omega \cdot p_j)

    The points' phases are computed in double precision, so that edges lose nothing however far the points lie
    from the origin; there are as many fewer sines as a point has neighbours. The window is one more Gaussian: it
    adds to the exponents of the last layer.
    """

    def __init__(
        self,
        kernel: ContinuousKernel,
        filters: Sequence[gabor_filters.Gabor],
        hidden: Sequence[magnet.Affine],
    ) -> None:
        R = kernel.radius
        if kernel.is_scaled:
            filters = [gabor_filters.Gabor(f.mu * R, f.gamma / R, f.omega / R, f.phi) for f in filters]
        packed = gabor_filters.pack(filters)
        quadratic, width = packed.quadratic, filters[-1].mu.size(0)
        self.has_window = kernel.window is not None
        if kernel.window is not None:
            window = -0.5 / gabor_filters.LN2 / (kernel.window.width * R).to(quadratic.dtype).square()
            window = torch.cat([window, window.new_zeros(kernel.dim + 1)]).unsqueeze(1)
            own, last = quadratic.split([quadratic.size(1) - width, width], dim=1)
            quadratic = torch.cat([own, last + window], dim=1)
        else:
            window = quadratic.new_zeros(quadratic.size(0), 1)
        self.tensors = [quadratic, window, packed.linear, *(p for layer in hidden for p in layer)]

    def prepare(
        self, tensors: Sequence[Tensor], pos_src: Tensor, pos_dst: Tensor, chunks: Sequence[Chunk]
    ) -> _MAGNetState:
        """Sines and cosines of all points, if there are edges enough to pay for them."""
        quadratic, window, linear, *affine = tensors
        layers = magnet.as_layers(affine)
        own = gabor_filters.narrowed(quadratic, linear.dtype)
        quadratic, window = own, window.to(own.dtype)
        edges = sum(c.src.numel() for c in chunks)
        if edges < TABLE_EDGES * (pos_src.size(0) + pos_dst.size(0)):
            return _MAGNetState(quadratic, window, linear, layers)
        dim = pos_src.size(1)
        omega, phi = linear[:dim], linear[dim]
        source = _sines(pos_src, omega)
        target = source if pos_dst is pos_src else _sines(pos_dst, omega)
        sin, cos = phi.sin(), phi.cos()
        turned = target[0] * cos + target[1] * sin, target[1] * cos - target[0] * sin
        # one more source: what fills up short rows
        padded = [torch.cat([t, t.new_zeros(1, t.size(1))]) for t in source]
        return _MAGNetState(quadratic, window, linear, layers, tuple(padded), turned)

    def forward(
        self, state: _MAGNetState, chunk: Chunk, scratch: Scratch, need: Sequence[bool] = ()
    ) -> tuple[Tensor, Any]:
        """Basis ``[T * K, H + 1]``, and what :meth:`backward` needs if ``need`` says what is wanted of it."""
        keep, rel = any(need), chunk.rel
        edges, filters = rel.size(1), state.linear.size(1)
        powers = gabor_filters.offset_powers(rel)
        envelope = gabor_filters.envelopes(
            rel, powers, state.quadratic, out=scratch("envelope", edges, filters)
        )
        sine, cosine = self._waves(state, chunk, powers, scratch, keep)
        gabor = sine.mul_(envelope)
        basis = scratch("basis", edges, filters // (len(state.hidden) + 1) + 1)
        h, maps = magnet.multiply_layers(gabor, state.hidden, scratch, out=basis[:, :-1])
        if self.has_window:
            basis[:, -1:] = gabor_filters.envelopes(
                rel, powers, state.window, out=scratch("window", edges, 1)
            )
        else:
            basis[:, -1] = 1
        if cosine is None:
            return basis, None
        return basis, (powers, basis, gabor, cosine.mul_(envelope), h, maps)

    def backward(
        self,
        state: _MAGNetState,
        chunk: Chunk,
        saved: Any,
        grad: Tensor,
        scratch: Scratch,
        need: Sequence[bool],
    ) -> list[Tensor | None]:
        """Gradients of the offsets ``[D, T * K]`` and of the tensors, as far as ``need`` asks for them."""
        powers, basis, gabor, cosine, h, maps = saved
        grad_gabor, grad_hidden = magnet.multiply_layers_backward(
            grad[:, :-1], gabor, h, maps, state.hidden, scratch
        )
        grad_quadratic, grad_linear, by_exponent, by_phase = gabor_filters.gabor_backward(
            grad_gabor, gabor, cosine, powers
        )
        by_window = grad[:, -1:] * basis[:, -1:]
        grad_window = gabor_filters.LN2 * cross(powers, by_window) if self.has_window else None
        grad_rel = None
        if need[0]:
            exponents = [(state.quadratic, by_exponent), (state.window, by_window)]
            grad_rel = gabor_filters.offset_gradient(chunk.rel, exponents, state.linear, by_phase)
        return [grad_rel, grad_quadratic, grad_window, grad_linear, *grad_hidden]

    @staticmethod
    def _waves(
        state: _MAGNetState, chunk: Chunk, powers: Tensor, scratch: Scratch, need_cosine: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Sines, and cosines where they are needed, of the edges' phases ``[T * K, F]``."""
        shape = (chunk.src.numel(), state.linear.size(1))
        if state.source is None or state.target is None:
            phase = gabor_filters.phases(powers, state.linear)
            sine = torch.sin(phase, out=scratch("sine", *shape))
            return sine, phase.cos_() if need_cosine else None
        rows = (chunk.rows.numel(), chunk.width, -1)
        sin_src, cos_src = (
            scratch.rows(n, t, chunk.src).view(rows)
            for n, t in zip(("sin", "cos"), state.source, strict=True)
        )
        sin_dst, cos_dst = (t.index_select(0, chunk.rows).unsqueeze(1) for t in state.target)
        sine = torch.mul(cos_src, sin_dst, out=scratch("sine", *cos_src.shape))
        sine = sine.addcmul_(sin_src, cos_dst, value=-1).view(shape)
        if not need_cosine:
            return sine, None
        return sine, cos_src.mul_(cos_dst).addcmul_(sin_src, sin_dst).view(shape)


class _MAGNetState(NamedTuple):
    quadratic: Tensor
    window: Tensor
    linear: Tensor
    hidden: Sequence[magnet.Affine]
    source: Sequence[Tensor] | None = None
    target: Sequence[Tensor] | None = None


def _sines(pos: Tensor, omega: Tensor) -> tuple[Tensor, Tensor]:
    """Sine and cosine of the phases of points, ``[N, F]``: reduced to one turn in double precision."""
    turns = pos.to(gabor_filters.wide(pos)) @ (omega.to(gabor_filters.wide(pos)) / math.tau)
    phase = (turns - turns.round()).mul_(math.tau).to(pos.dtype)
    return phase.sin(), phase.cos()
