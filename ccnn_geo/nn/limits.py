"""Networks that are no larger than the weights that were stored for them, whatever their arguments say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import get_ident

from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.modules.module import register_module_parameter_registration_hook


@contextmanager
def no_larger_than(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Ends the making of a network that has more parameters than there are weights, before they are filled.

    A configuration that lies would otherwise take all memory, or make layers for ever.

    Raises:
        ValueError: If one has, or torch cannot make it.
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
                f"the weights do not fit: the network has more parameters than the {largest} in {most} tensors that "
                "were stored"
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    except (RuntimeError, ArithmeticError) as error:  # what torch can neither allocate nor count
        raise ValueError(f"the network cannot be made ({str(error).partition(chr(10))[0]})") from error
    finally:
        hook.remove()
