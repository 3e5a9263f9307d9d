"""What a network for regression answers: names and units of its targets, and their scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.sending import sent


@dataclass(frozen=True)
class Targets:
    r"""Targets of a regression, by whose mean and deviation over the training part a network's outputs are scaled.

    .. math::
        z = \frac{y - \mathrm{mean}}{\mathrm{std}}, \qquad y = \mathrm{mean} + \mathrm{std} \, z

    A network learns and answers :math:`z`; :math:`y` is in the targets' units. Checkpoints and exported folders keep
    the plain values of :meth:`plain`.

    Args:
        names: Of the targets, one per output.
        units: Of the targets; empty for none.
        mean: Of each target.
        std: Of each target, above 0.

    Shapes:
        - **values, outputs:** :math:`(*, T)` for :math:`T` targets, in the units or standardised

    Raises:
        ValueError: If there is no target, or not as many of everything, or a number is out of range.

    Example:
        >>> energy = Targets.measure(["energy"], ["kcal/mol"], torch.tensor([[-400.0], [-800.0]]))
        >>> energy.mean, energy.std
        ((-600.0,), (200.0,))
        >>> energy.restore(torch.tensor([[0.5]]))
        tensor([[-500.]])
        >>> Targets.from_plain(energy.plain()) == energy
        True
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.names or {len(self.units), len(self.mean), len(self.std)} != {len(self.names)}:
            raise ValueError(
                "Targets: expected as many units, means and deviations as names, and one or more, got "
                f"{len(self.names)} names, {len(self.units)} units, {len(self.mean)} means, {len(self.std)} deviations"
            )
        numbers = torch.tensor([*self.mean, *self.std], dtype=torch.float64)
        if not bool(numbers.isfinite().all()) or min(self.std) <= 0:
            raise ValueError(
                f"Targets: expected finite means and deviations above 0, got {self.mean}, {self.std}"
            )

    @classmethod
    def measure(cls, names: Sequence[str], units: Sequence[str], values: Tensor) -> Targets:
        """Targets with mean and deviation of the values ``[N, T]`` of the training part.

        NaN is a value that is not known; a target that never changes has the deviation 1.

        Raises:
            ValueError: If a target has no value.
        """
        values = values.double()
        known = ~values.isnan()
        count = known.sum(0)
        if not bool((count > 0).all()):
            without = [name for name, number in zip(names, count.tolist(), strict=True) if number == 0]
            raise ValueError(f"targets: no value of {', '.join(without)} in the training part, expected some")
        mean = values.nan_to_num().sum(0) / count
        deviation = ((values - mean).nan_to_num().square().sum(0) / count).sqrt()
        constant = deviation <= 1e-12 * mean.abs()
        return cls(
            tuple(map(str, names)),
            tuple(map(str, units)),
            tuple(mean.tolist()),
            tuple(torch.where(constant, torch.ones_like(deviation), deviation).tolist()),
        )

    def standardise(self, values: Tensor) -> Tensor:
        """Values in the targets' units, as a network answers them: float32."""
        mean, std = self._scale(values)
        return ((values.double() - mean) / std).float()

    def restore(self, outputs: Tensor) -> Tensor:
        """Outputs of a network in the targets' units: of the type of the outputs."""
        mean, std = self._scale(outputs)
        return (mean + std * outputs.double()).to(outputs.dtype)

    def plain(self) -> dict[str, Any]:
        """Lists of words and numbers, for :meth:`from_plain`."""
        return {key: list(value) for key, value in asdict(self).items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Targets:
        """The targets of :meth:`plain`.

        Raises:
            ValueError: If something is missing, or is not what :meth:`plain` says.
        """
        try:
            names, units = (tuple(map(str, values[key])) for key in ("names", "units"))
            mean, std = (tuple(map(float, values[key])) for key in ("mean", "std"))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"targets: expected lists names, units, mean and std, got {values!r}") from error
        return cls(names, units, mean, std)

    def _scale(self, beside: Tensor) -> tuple[Tensor, Tensor]:
        rows = sent(torch.tensor([self.mean, self.std], dtype=torch.float64), beside.device)
        return rows[0], rows[1]
