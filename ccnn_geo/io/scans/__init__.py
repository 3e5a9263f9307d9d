"""Internal: files of laser scans, their measurements and labels."""

__all__: list[str] = []
