"""Layers and networks on sequences by name, and a training step of one, for ``table5`` to ``table7``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ccnn_geo import CCNN, SepFlexConv
from ccnn_geo.experiments.baselines.global_cnn import GlobalCNN
from ccnn_geo.experiments.baselines.local_cnn import LocalCNN
from ccnn_geo.experiments.baselines.lssl import LSSL
from ccnn_geo.experiments.baselines.s4 import S4
from ccnn_geo.experiments.baselines.s4d import S4D
from ccnn_geo.kernels.config import PAPER
from ccnn_geo.nn.ccnn import SIZES as PAPER_SIZES

IN_CHANNELS, CLASSES = 3, 10
OPEN = 1.0
"""Width of a window that crops no kernel: its support, 2.1 times as wide, is longer than a sequence, [-1, 1]."""
SIZES = {sizes["hidden_channels"]: name for name, sizes in PAPER_SIZES.items()}
"""Presets by their width."""


@dataclass(frozen=True)
class Case:
    """A measurement: ``kind`` is a key of :data:`METHODS`, ``method`` one of its methods."""

    kind: str
    method: str
    length: int
    hidden: int
    batch: int = 8
    native: bool = True

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.batch, self.hidden if self.kind == "layer" else IN_CHANNELS, self.length

    @property
    def output_shape(self) -> tuple[int, ...]:
        return self.input_shape if self.kind == "layer" else (self.batch, CLASSES)


Model = tuple[nn.Module, Callable[[Tensor], Tensor]]
"""A module and the part of it to call."""


@dataclass(frozen=True)
class Method:
    """A row of a table."""

    label: str
    build: Callable[[Case], Model]


def open_window(conv: SepFlexConv, width: float = OPEN) -> None:
    """Opens a window so that a kernel spans the input, or the given width; the filters stay those of the old one."""
    window = conv.kernel.window
    assert window is not None, "a kernel to open has a window"
    window.width_init = width
    window.reset_parameters()


def ccnn_layer(case: Case, opened: bool, pointwise: bool) -> Model:
    """The layer of the paper's Tables 6 and 7; without its pointwise layer it is depthwise, like S4."""
    c = case.hidden
    # declared taps, because there is no first batch to measure
    conv = SepFlexConv(c, c, 1, kernel_hidden=32, kernel_layers=3, causal=True, num_taps=case.length, **PAPER)
    if opened:
        open_window(conv)
    return conv, conv if pointwise else conv.aggregate_neighbors


def state_space_layer(case: Case, layer: type[nn.Module]) -> Model:
    """A depthwise layer of the usual 64 states per channel."""
    module = layer(case.hidden)
    return module, module


def ccnn_network(case: Case, opened: bool) -> Model:
    """One of the paper's networks."""
    net = CCNN.from_preset(
        f"{SIZES[case.hidden]}_paper", 1, IN_CHANNELS, CLASSES, causal=True, num_taps=case.length
    )
    if opened:
        for conv in net.convs:
            open_window(conv)
    return net, net


def global_network(case: Case) -> Model:
    """The same network with a free parameter per tap."""
    blocks = PAPER_SIZES[SIZES[case.hidden]]["num_blocks"]
    net = GlobalCNN(IN_CHANNELS, CLASSES, 1, case.length, case.hidden, blocks, causal=True)
    return net, net


def local_network(case: Case) -> Model:
    """Kernels of 5, pooling after each block, a depth that suits the input."""
    net = LocalCNN(IN_CHANNELS, CLASSES, 1, case.length, case.hidden, causal=True)
    return net, net


METHODS: dict[str, Mapping[str, Method]] = {
    "layer": {
        "lssl": Method("LSSL", partial(state_space_layer, layer=LSSL)),
        "s4": Method("S4", partial(state_space_layer, layer=S4)),
        "s4d": Method("S4D", partial(state_space_layer, layer=S4D)),
        "ccnn": Method("CCNN", partial(ccnn_layer, opened=True, pointwise=False)),
        "ccnn_window": Method("CCNN, window 0.075", partial(ccnn_layer, opened=False, pointwise=False)),
        "ccnn_pointwise": Method("CCNN + pointwise", partial(ccnn_layer, opened=True, pointwise=True)),
        "ccnn_window_pointwise": Method(
            "CCNN + pointwise, window 0.075", partial(ccnn_layer, opened=False, pointwise=True)
        ),
    },
    "network": {
        "local": Method("Local CNN", local_network),
        "global": Method("Global CNN", global_network),
        "ccnn": Method("CCNN", partial(ccnn_network, opened=True)),
        "ccnn_window": Method("CCNN, window 0.075", partial(ccnn_network, opened=False)),
    },
}


def inputs(case: Case) -> tuple[Tensor, Tensor]:
    """An input, with a gradient if it is within a network, and the gradient of the output."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x = torch.randn(case.input_shape, device=device, requires_grad=case.kind == "layer")
    return x, torch.randn(case.output_shape, device=device)


class Step:
    """A forward and a backward pass of a case's model."""

    def __init__(self, case: Case, x: Tensor, grad: Tensor) -> None:
        self.module, self.call = METHODS[case.kind][case.method].build(case)
        self.module.to(x.device)
        self.x, self.grad = x, grad

    def __call__(self) -> None:
        self.call(self.x).backward(self.grad)

    def forget(self) -> None:
        """Drops all gradients, which the next step would add to."""
        self.module.zero_grad(set_to_none=True)
        self.x.grad = None
