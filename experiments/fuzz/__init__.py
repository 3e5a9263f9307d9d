"""Internal: damaged files for all readers."""

__all__: list[str] = []
