"""Internal: from a file to what a network takes, a module for each kind of data."""

__all__: list[str] = []
