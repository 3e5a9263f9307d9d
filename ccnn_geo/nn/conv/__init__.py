"""The continuous convolution: one layer for grids and points, and the paths it takes."""
