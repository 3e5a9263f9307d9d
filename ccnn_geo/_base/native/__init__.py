"""Internal: compiles functions in C where there is a compiler, and gives back memory; everything works without.."""

__all__: list[str] = []
