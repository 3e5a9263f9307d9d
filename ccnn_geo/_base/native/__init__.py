"""Internal: compiles functions in C if there is a compiler, and reuses memory; everything works without."""

__all__: list[str] = []
