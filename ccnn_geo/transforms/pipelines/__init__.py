"""Internal: pipelines from files to network inputs, one module per kind of data."""

__all__: list[str] = []
