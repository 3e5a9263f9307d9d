"""Internal: devices, PyTorch Geometric and the compiler in one place each, for all rooms above."""
