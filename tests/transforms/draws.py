"""What all random transforms keep to."""

from collections.abc import Callable

import torch


def assert_seeds_decide(run: Callable[..., torch.Tensor]) -> None:
    """``run`` draws from torch's generator, or from the ``generator`` it is given alone."""
    torch.manual_seed(0)
    first, second = run(), run()
    torch.manual_seed(0)
    assert torch.equal(first, run()) and not torch.equal(first, second)
    state = torch.get_rng_state()
    a, b = (run(generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b) and torch.equal(state, torch.get_rng_state())
