"""Colourings of a sample: a value per point or cell, with a title."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ccnn_geo.visualization.rendering import convolutions, render_kernels
from ccnn_geo.visualization.sample_values import Sample, class_evidence, kernel_at, kernel_response
from ccnn_geo.visualization.samples import Trained

CLIPPED = 0.98
"""Share of the points with distinguishable colours."""


@dataclass(frozen=True, eq=False)
class Coloring:
    """A value per point or cell, with texts.

    Args:
        values: Values; NaN for points without one.
        title: Title of the picture.
        label: Label of the colour bar.
        point: A point to mark.

    Shapes:
        - **values:** :math:`(N)`

    Example:
        >>> evidence = torch.tensor([-2.0, 2.0, 0.5, torch.nan])
        >>> coloring = Coloring(evidence, title="chair.off: evidence for chair", label="evidence")
        >>> coloring.limit
        2.0
    """

    values: Tensor
    title: str
    label: str
    point: int | None = None

    @property
    def limit(self) -> float:
        """Maximum of the colour scale, which is symmetric about zero."""
        known = self.values[~self.values.isnan()].abs()
        return max(float(known.float().quantile(CLIPPED)) if len(known) else 0.0, 1e-12)


def by_evidence(trained: Trained, sample: Sample, first: str | None = None) -> dict[str, Coloring]:
    """Evidence for each class, by name; begins with ``first``, by default the predicted class.

    Raises:
        ValueError: If there is no such class.
    """
    if first is not None and first not in trained.classes:
        raise ValueError(f"--class: expected one of {', '.join(trained.classes)}, got {first!r}")
    evidence = class_evidence(trained.network, sample).cpu()
    logits = evidence.double().mean(dim=0)
    chosen = int(logits.argmax()) if first is None else trained.classes.index(first)
    probabilities, truth = logits.softmax(dim=0), f" (it is {sample.truth})" if sample.truth else ""
    found = {}
    for c in sorted(range(len(trained.classes)), key=lambda c: (c != chosen, -float(logits[c]))):
        name = trained.classes[c]
        if trained.network.readout == "node":
            title = f"{sample.name}: logit of {name} at each point"
        else:
            title = f"{sample.name}{truth}: evidence for {name}, {100 * probabilities[c]:.1f} %"
        found[name] = Coloring(evidence[:, c], title, f"evidence, mean {logits[c]:.2f}")
    return found


def by_kernel(
    trained: Trained, sample: Sample, layer: int, channel: int | None, point: int | None
) -> Coloring:
    """One kernel at the points around a centre; by default the layer's strongest, around the point nearest to the mean.

    Raises:
        ValueError: If there is no such layer, channel or point, or the sample is a grid.
    """
    channel = _channel(trained, layer, channel)
    if point is None:
        point = int((sample.pos - sample.pos.mean(dim=0)).norm(dim=1).argmin())
    values = kernel_at(trained.network, sample, layer, channel, point)
    title = f"{sample.name}: {_name(trained, layer)}, kernel {channel} around point {point}"
    return Coloring(values.cpu(), title, "kernel", point)


def by_response(trained: Trained, sample: Sample, layer: int, channel: int | None) -> Coloring:
    """The sums over neighbours for one kernel, by default the layer's strongest.

    Raises:
        ValueError: If there is no such layer or channel.
    """
    channel = _channel(trained, layer, channel)
    values = kernel_response(trained.network, sample, layer, channel)
    return Coloring(
        values.cpu(), f"{sample.name}: {_name(trained, layer)}, response of kernel {channel}", "response"
    )


def _channel(trained: Trained, layer: int, channel: int | None) -> int:
    return render_kernels(trained.network, [layer])[0].strongest(1)[0] if channel is None else channel


def _name(trained: Trained, layer: int) -> str:
    return list(convolutions(trained.network))[layer]
