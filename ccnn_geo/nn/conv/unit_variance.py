"""A scale that the first batch sets once and the state dict keeps."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from ccnn_geo._base.processes import is_distributed
from ccnn_geo._base.recording import refuse_recording

SILENCE = 1e-12
"""Mean square below which a batch says nothing about the scale; the next batch then sets it."""


class UnitVariance(nn.Module):
    r"""A scale that gives a layer's outputs unit variance, set once.

    The buffer ``moment`` holds the mean square or variance of the first batch's outputs, and 0 until it is known. It
    travels with the parameters: a loaded, copied, averaged or functionally called module is never scaled again. The
    attribute ``known`` remembers on the host that the scale is set, which saves reading the buffer from a device.

    In a distributed run the moments cover all processes, because their copies would drift apart otherwise. There an
    evaluation before the first training step sets nothing, since some processes may skip it.

    Example:
        >>> scale, layer = UnitVariance(), torch.nn.Linear(4, 2)
        >>> x = torch.randn(100, 4)
        >>> scale.divide(layer, scale.measure(layer(x), centered=True))
        >>> scale.is_known, round(layer(x).var().item(), 3)
        (True, 1.0)
    """

    moment: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("moment", torch.zeros(()))
        self.known = False
        self.register_load_state_dict_post_hook(_look_again)

    @property
    def is_known(self) -> bool:
        """Whether the scale is set. Asks the buffer (one wait for the device) only as long as it is not."""
        if self.known:
            return True
        refuse_recording(self.moment, "a layer's scale is not known yet; run the model once before")
        return bool(self.moment > 0)

    @torch.no_grad()
    def set(self, moment: Tensor | float) -> None:
        """Remembers a moment."""
        self.moment.copy_(torch.as_tensor(moment))
        self.known = True

    @torch.no_grad()
    def divide(self, layer: nn.Linear, moment: Tensor | float | None) -> None:
        """Divides a layer's parameters by the root of a moment and remembers it; ``None`` changes nothing."""
        if moment is None:
            return
        root = torch.as_tensor(moment).to(layer.weight).sqrt()
        layer.weight.div_(root)
        layer.bias.div_(root)
        self.set(moment)

    @torch.no_grad()
    def measure(self, y: Tensor, centered: bool) -> Tensor | None:
        """The variance or mean square of all entries of ``y``; ``None`` if too small to set a scale."""
        distributed = is_distributed()
        if distributed and not self.training:
            return None
        y = y.float() if y.device.type == "mps" else y.double()
        moments = torch.stack([y.new_tensor(float(y.numel())), y.sum(), y.square().sum()])
        if distributed:
            torch.distributed.all_reduce(moments)
        count, total, squares = moments
        moment = (squares - total.square() / count) / (count - 1) if centered else squares / count
        return moment if torch.isfinite(moment) and moment > SILENCE else None

    def reset_parameters(self) -> None:
        """Lets the next batch set the scale; for freshly drawn parameters."""
        self.moment.zero_()
        self.known = False


def _look_again(scale: UnitVariance, *_: object) -> None:
    scale.known = bool(scale.moment > 0)


def take_unscaled_weights(owner: nn.Module, weight: str) -> None:
    """Lets a module load weights that come without a scale, and uses them as they are.

    Args:
        owner: The module; its scale has the name ``scale``.
        weight: Name of the weights that the scale has divided.
    """
    owner.register_load_state_dict_pre_hook(partial(_take, weight))


def _take(weight: str, owner: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: object) -> None:
    if prefix + weight in state_dict and f"{prefix}scale.moment" not in state_dict:
        owner.get_buffer("scale.moment").fill_(1.0)
