"""Internal: the formulas of kernels and of their spectra, as pure functions beside their compiled twins."""

__all__: list[str] = []
