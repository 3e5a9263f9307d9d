"""Internal: the formulas of kernels and of their spectra."""
