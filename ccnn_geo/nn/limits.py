"""A limit that keeps networks from growing larger than their stored weights, whatever their arguments say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident

from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.modules.module import register_module_parameter_registration_hook


@contextmanager
def no_larger_than(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Stops building a network as soon as it has more parameters than there are weights.

    Otherwise a wrong configuration could take all memory, or build layers forever.

    Raises:
        ValueError: If it has more parameters, or torch cannot build it.
    """
    largest, most, thread = sum(value.numel() for value in weights.values()), len(weights), get_ident()
    numbers, tensors = 0, 0

    def count(module: Module, name: str, parameter: Parameter | None) -> None:
        nonlocal numbers, tensors
        if parameter is None or get_ident() != thread:
            return
        numbers, tensors = numbers + parameter.numel(), tensors + 1
        if numbers > largest or tensors > most:
            raise ValueError(
                f"the weights do not fit: the network has more parameters than the {largest} stored in {most} tensors"
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    except (RuntimeError, ArithmeticError) as error:  # sizes that torch can neither allocate nor count
        raise ValueError(f"the network cannot be made ({str(error).partition(chr(10))[0]})") from error
    finally:
        hook.remove()
