"""Internal: what a folder of a user's own files holds, and whether a training would take it.

``ccnn-geo data check`` prints it.
"""

__all__: list[str] = []
