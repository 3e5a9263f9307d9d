"""Internal: converters that make folders of data for studies from files at hand."""

__all__: list[str] = []
