"""Internal: the networks that the paper compares itself with, as far as its studies need them."""

__all__: list[str] = []
