"""Internal: files that are complete or absent, archives, downloads, folders of samples."""

__all__: list[str] = []
