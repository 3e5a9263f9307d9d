"""Linear layers over the channels of points and grids."""
