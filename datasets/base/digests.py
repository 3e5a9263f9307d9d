"""Short names of settings."""

import hashlib


def digest(*parts: object) -> str:
    """Makes a short name for a combination of settings.

    Example:
        >>> digest("sphere", 512) == digest("sphere", 512) != digest("box", 512)
        True
    """
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
