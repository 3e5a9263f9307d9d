"""Internal: the networks that the paper compares with, as far as its studies need them."""

__all__: list[str] = []
