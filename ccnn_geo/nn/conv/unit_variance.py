"""A scale that the first batch sets once, and that the state dict remembers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

SILENCE = 1e-12
"""Mean square below which a batch says nothing about the scale, and the next one is waited for."""


class FirstBatchScale(nn.Module):
    r"""Base of modules that divide an output layer, once, by the root of what the first batch gives.

    The buffer named ``scale_buffer`` holds that moment, 0 before it is known. It travels with the
    parameters: a loaded, copied, averaged or functionally called module is never scaled again.

    In a distributed run the moments are those of all processes, or their copies would drift apart; an
    evaluation before the first training step sets nothing there, since not every process need take part.
    """

    scale_buffer: str
    scaled_layer: str
    _scaled = False

    @property
    def is_scaled(self) -> bool:
        """Whether the scale is set. Asks the buffer (one wait for the device) only as long as it is not."""
        return self._scaled or bool(getattr(self, self.scale_buffer) > 0)

    @torch.no_grad()
    def set_scale(self, moment: Tensor | float) -> None:
        """Divides the output layer by the root of ``moment`` and remembers it."""
        layer, buffer = self.get_submodule(self.scaled_layer), getattr(self, self.scale_buffer)
        moment = torch.as_tensor(moment).to(buffer)
        for parameter in (layer.weight, layer.bias):
            assert isinstance(parameter, Tensor)
            parameter.div_(moment.sqrt())
        buffer.copy_(moment)
        self._scaled = True

    @torch.no_grad()
    def measure_scale(self, y: Tensor, centered: bool) -> None:
        """Sets the scale to the variance (or mean square) of all entries of ``y``, if that says anything."""
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        if distributed and not self.training:
            return
        y = y.float() if y.device.type == "mps" else y.double()
        moments = torch.stack([y.new_tensor(float(y.numel())), y.sum(), y.square().sum()])
        if distributed:
            torch.distributed.all_reduce(moments)
        count, total, squares = moments
        moment = (squares - total.square() / count) / (count - 1) if centered else squares / count
        if torch.isfinite(moment) and moment > SILENCE:
            self.set_scale(moment)

    def forget_scale(self) -> None:
        """Lets the next batch set the scale; for freshly drawn parameters."""
        getattr(self, self.scale_buffer).zero_()
        self._scaled = False

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        buffer = getattr(self, self.scale_buffer)
        with_weights = f"{prefix}{self.scaled_layer}.weight" in state_dict
        if with_weights and prefix + self.scale_buffer not in state_dict:
            buffer.fill_(1.0)  # weights of a state dict without the buffer are taken as they are
        self._scaled = bool(buffer > 0)
