"""Internal: atomic files, archives, downloads, folders of samples."""

__all__: list[str] = []
