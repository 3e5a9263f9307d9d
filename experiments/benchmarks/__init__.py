"""Internal: programs that measure time and memory."""

__all__: list[str] = []
