"""Our functions as torch operators, so that eager code, compilers, exporters and ``torch.func`` use the same ones.

A function with gradients is three operators. ``name_forward`` and ``name_backward`` compute and appear in graphs; each
has a kernel, and a fake for tracers. Users call ``name``. It is an ``autograd.Function`` around the other two in eager
code and while a graph is traced, and a formula under the transforms of ``torch.func``, which differentiate it.

``torch.library.register_autograd`` needs one operator less, but does not support ``torch.func.grad``. It also takes 20
microseconds longer for a forward and backward pass (``torch.library.custom_op`` 50; a bare ``autograd.Function`` takes
11 less), which is too much for layers that take 300.

Kernels also run where torch has switched off gradients, conjugate views and the like (inside a graph). They must not
rely on these, so they use ``conj_physical``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

NAMESPACE = "ccnn_geo"
LIBRARY = torch.library.Library(NAMESPACE, "FRAGMENT")
"""The library that registers all operators and keeps them alive."""
FORMULAS: dict[Any, Callable[..., Any]] = {}
"""Forward operators written in operations of torch, for ``ExportedProgram.run_decompositions``."""


def operator(
    schema: str,
    kernel: Callable[..., Any],
    fake: Callable[..., Any],
    formula: Callable[..., Any] | None = None,
) -> Any:
    """Registers an operator without gradients.

    Args:
        schema: Name and signature, as in ``"twice(Tensor x) -> Tensor"``.
        kernel: The function that computes it; it must return new memory.
        fake: Returns results with the right shape, type and layout, without values.
        formula: The same in operations of torch, for programs that run without this package.
    """
    name = schema.partition("(")[0]
    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, kernel, "CompositeExplicitAutograd")
    torch.library.register_fake(f"{NAMESPACE}::{name}", fake, lib=LIBRARY)
    found = getattr(getattr(torch.ops, NAMESPACE), name).default
    if formula is not None:
        FORMULAS[found] = formula
    return found


def composite(schema: str, apply: Callable[..., Any], formula: Callable[..., Any]) -> Any:
    """Registers an operator that tracers look into.

    Args:
        schema: Name and signature.
        apply: ``apply`` of an ``autograd.Function`` around operators.
        formula: The same in operations of torch, with gradients of any order.
    """
    name = schema.partition("(")[0]
    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, apply, "CompositeImplicitAutograd")
    LIBRARY.impl(name, formula, "FuncTorchDynamicLayerFrontMode")
    found = getattr(getattr(torch.ops, NAMESPACE), name).default
    FORMULAS[found] = formula
    return found


def differentiable(
    schema: str,
    kernel: Callable[..., Tensor],
    backward_kernel: Callable[..., list[Tensor]],
    fake: Callable[..., Tensor],
    formula: Callable[..., Tensor],
    learns: int,
    listed: bool = False,
    second: Callable[[], None] | None = None,
    like: Callable[[Tensor], Tensor] = lambda t: t.new_empty(t.shape),
) -> Any:
    """Registers an operator with gradients, and the two it consists of.

    Args:
        schema: Name and signature; it returns one tensor.
        kernel: The function that computes it; it must return new memory.
        backward_kernel: Maps the output's gradient, the same arguments and flags to the gradients that flags request.
        fake: Returns a tensor with the output's shape, type and layout, without values.
        formula: The same in operations of torch, with gradients of any order.
        learns: Number of leading arguments that have gradients.
        listed: Whether the last of these is a list of tensors.
        second: Rejects second derivatives; by default the formula provides them.
        like: Returns memory with the layout of a gradient.
    """
    name, _, rest_of = schema.partition("(")
    arguments, _, _ = rest_of.partition(")")
    single = learns - listed

    def backward_fake(grad: Tensor, *given: Any) -> list[Tensor]:
        inputs = (*given[:single], *(given[single] if listed else ()))
        return [like(t) for t, needed in zip(inputs, given[-1], strict=True) if needed]

    forward = operator(f"{name}_forward({rest_of}", kernel, fake, formula)
    backward = operator(
        f"{name}_backward(Tensor grad, {arguments}, bool[] need) -> Tensor[]", backward_kernel, backward_fake
    )

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, rest: Sequence[Any], *inputs: Tensor) -> Tensor:
            ctx.rest = rest
            ctx.save_for_backward(*inputs)
            if listed:
                return forward(*inputs[:single], inputs[single:], *rest)
            return forward(*inputs, *rest)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
            inputs, need = ctx.saved_tensors, ctx.needs_input_grad[1:]
            given = (*inputs[:single], inputs[single:]) if listed else inputs
            if torch.is_grad_enabled():
                if second is not None:
                    second()
                return None, *by_formula(lambda *inputs: of(inputs, ctx.rest), inputs, need, grad)
            found = backward(grad, *given, *ctx.rest, need)
            if False not in need:
                return None, *found
            parts = iter(found)
            return None, *(next(parts) if n else None for n in need)

    def of(inputs: Sequence[Tensor], rest: Sequence[Any]) -> Tensor:
        return formula(*inputs[:single], *((inputs[single:],) if listed else ()), *rest)

    Function.__name__ = Function.__qualname__ = name
    if listed:
        return composite(
            schema,
            lambda *given: (
                Function.apply(given[learns:], *given[:single], *given[single])
                if torch.is_grad_enabled()
                else forward(*given)
            ),
            formula,
        )
    return composite(
        schema,
        lambda *given: (
            Function.apply(given[learns:], *given[:learns]) if torch.is_grad_enabled() else forward(*given)
        ),
        formula,
    )


def by_formula(
    formula: Callable[..., Any], inputs: Sequence[Any], need: Sequence[bool], grad: Any
) -> tuple[Any, ...]:
    """Gradients that can be differentiated again, from a formula; ``None`` where none is needed."""
    # views: a tensor used twice must not get the sum of its gradients in both places
    views = [t.view_as(t) for t in inputs]
    wanted = [t for t, n in zip(views, need, strict=True) if n]
    found = iter(torch.autograd.grad(formula(*views), wanted, grad, create_graph=True))
    return tuple(next(found) if n else None for n in need)
