"""Internal: devices, PyTorch Geometric, old paths and the compiler, in one place each, for all rooms above.."""

__all__: list[str] = []
