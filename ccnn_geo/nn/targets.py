"""Targets of a regression: their names, units and scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ccnn_geo._base.sending import sent


@dataclass(frozen=True)
class Targets:
    r"""Targets of a regression, standardised by their mean and deviation over the training set.

    .. math::
        z = \frac{y - \mathrm{mean}}{\mathrm{std}}, \qquad y = \mathrm{mean} + \mathrm{std} \, z

    A network learns and predicts :math:`z`; :math:`y` is in the targets' units. Checkpoints and exported folders store
    the plain values of :meth:`plain`.

    Args:
        names: Names of the targets, one per output.
        units: Units of the targets; an empty string for none.
        mean: Mean of each target.
        std: Standard deviation of each target, above 0.

    Shapes:
        - **values, outputs:** :math:`(*, T)` for :math:`T` targets, in the targets' units or standardised

    Raises:
        ValueError: If there is no target, lengths differ, or a number is out of range.

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
                "Targets: expected as many units, means and deviations as names, and at least one, got "
                f"{len(self.names)} names, {len(self.units)} units, {len(self.mean)} means, {len(self.std)} deviations"
            )
        numbers = torch.tensor([*self.mean, *self.std], dtype=torch.float64)
        if not bool(numbers.isfinite().all()) or min(self.std) <= 0:
            raise ValueError(
                f"Targets: expected finite means and deviations above 0, got {self.mean}, {self.std}"
            )

    @classmethod
    def measure(cls, names: Sequence[str], units: Sequence[str], values: Tensor) -> Targets:
        """Measures mean and deviation of the values ``[N, T]`` of the training set.

        NaN stands for an unknown value. A target that never changes gets the deviation 1.

        Raises:
            ValueError: If a target has no value.
        """
        values = values.double()
        known = ~values.isnan()
        count = known.sum(0)
        if not bool((count > 0).all()):
            without = [name for name, number in zip(names, count.tolist(), strict=True) if number == 0]
            raise ValueError(f"targets: no value of {', '.join(without)} in the training set, expected some")
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
        """Standardises values in the targets' units, as a network predicts them: float32."""
        mean, std = self._scale(values)
        return ((values.double() - mean) / std).float()

    def restore(self, outputs: Tensor) -> Tensor:
        """Converts outputs of a network to the targets' units, without changing their type."""
        mean, std = self._scale(outputs)
        return (mean + std * outputs.double()).to(outputs.dtype)

    def plain(self) -> dict[str, Any]:
        """Returns lists of strings and numbers, for :meth:`from_plain`."""
        return {key: list(value) for key, value in asdict(self).items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Targets:
        """Makes targets from the result of :meth:`plain`.

        Raises:
            ValueError: If something is missing or has another form.
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
