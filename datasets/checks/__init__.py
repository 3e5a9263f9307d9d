"""Internal: reports on a folder of a user's own files, and whether a training would accept it.

``ccnn-geo data check`` prints it.
"""

__all__: list[str] = []
