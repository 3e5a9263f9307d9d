"""Internal: devices, PyTorch Geometric, old paths and the compiler, each in one place for all rooms above."""

__all__: list[str] = []
