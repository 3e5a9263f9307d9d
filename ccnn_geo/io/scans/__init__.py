"""Internal: files of laser scans, what was measured in them, and their labels."""

__all__: list[str] = []
