"""Internal: folders of data that studies run on, made of files that are at hand."""

__all__: list[str] = []
