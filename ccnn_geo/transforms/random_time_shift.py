"""Augmentation: sounds shifted in time."""

import torch
from torch import Generator, Tensor

from ccnn_geo.transforms._grids import check_grid


class RandomTimeShift:
    r"""Shifts a sound in time: :math:`x_t \leftarrow x_{t - s}`, and fills the gap with silence.

    Args:
        max_shift: largest shift :math:`|s|`, in samples; shifts are uniform up to it.
        silence: value of silence; 0 for raw sound, :math:`-\mu / \sigma` for normalised sound.
        generator: source of randomness (default: torch's global one).

    Shapes:
        ``[C, L]``, unchanged in shape.

    Raises:
        ValueError: for a negative shift, or another number of axes.

    Example:
        >>> RandomTimeShift(2)(torch.rand(1, 10)).shape
        torch.Size([1, 10])
    """

    def __init__(self, max_shift: int, silence: float = 0.0, generator: Generator | None = None) -> None:
        if max_shift < 0:
            raise ValueError(f"expected max_shift >= 0, got {max_shift}")
        self.max_shift = max_shift
        self.silence = float(silence)
        self.generator = generator

    def __call__(self, sound: Tensor) -> Tensor:
        check_grid("RandomTimeShift", sound, "C, L")
        shift = int(torch.randint(-self.max_shift, self.max_shift + 1, (), generator=self.generator))
        moved = torch.full_like(sound, self.silence)
        kept = max(sound.size(1) - abs(shift), 0)
        moved[:, max(shift, 0) :][:, :kept] = sound[:, max(-shift, 0) :][:, :kept]
        return moved

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.max_shift}, silence={self.silence:g})"
