"""Functions of ours as operators of torch, so that eager code, compilers, exporters and ``torch.func`` take one way.

A differentiable function is a pair. What computes is an :func:`operator` with a kernel for the CPU and a fake for
tracers: it is what stands in a graph. What users of it call is a :func:`differentiable` operator around it, an
``autograd.Function`` in eager code and while a graph is traced. The transforms of ``torch.func`` get the formula
instead, which they can take apart.

``torch.library.register_autograd`` would do the same with one operator less, and takes 30 microseconds longer for a
forward and backward pass (``torch.library.custom_op`` 60; of 11 here): too much for layers that take 200.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

NAMESPACE = "ccnn_geo"
LIBRARY = torch.library.Library(NAMESPACE, "FRAGMENT")
"""Where all operators are registered; it keeps them alive."""
FORMULAS: dict[Any, Callable[..., Any]] = {}
"""What each operator of a forward pass computes, in operations of torch."""


def operator(
    schema: str, kernel: Callable[..., Any], fake: Callable[..., Any], formula: Callable[..., Any] | None = None
) -> Any:
    """An operator without gradients.

    Args:
        schema: Its name and signature, as in ``"twice(Tensor x) -> Tensor"``.
        kernel: What computes it. It returns memory of its own.
        fake: Gives results of the right shape, type and layout, and no numbers.
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


def differentiable(schema: str, apply: Callable[..., Any], formula: Callable[..., Any]) -> Any:
    """An operator with gradients, which tracers look into.

    Args:
        schema: Its name and signature.
        apply: What an ``autograd.Function`` around operators gives.
        formula: The same in operations of torch, with gradients of any order.
    """
    name = schema.partition("(")[0]
    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, apply, "CompositeImplicitAutograd")
    LIBRARY.impl(name, formula, "FuncTorchDynamicLayerFrontMode")
    return getattr(getattr(torch.ops, NAMESPACE), name).default


def by_formula(
    formula: Callable[..., Any], inputs: Sequence[Any], need: Sequence[bool], grad: Any
) -> tuple[Any, ...]:
    """Gradients that can be differentiated again: those of a formula, ``None`` where none is needed."""
    # views: a tensor that serves twice must not get the sum of its gradients in both places
    views = [t.view_as(t) for t in inputs]
    wanted = [t for t, n in zip(views, need, strict=True) if n]
    found = iter(torch.autograd.grad(formula(*views), wanted, grad, create_graph=True))
    return tuple(next(found) if n else None for n in need)
