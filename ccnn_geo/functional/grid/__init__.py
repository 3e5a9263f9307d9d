"""Convolutions of dense grids, direct and by FFT."""
