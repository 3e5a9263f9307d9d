"""Imports torch-geometric before anything here does, without torch's warning of what it does on import."""

import warnings

with warnings.catch_warnings():
    # It scripts two classes of its own. Torch warns of that, since 2.14 in a category that all users see.
    warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is ")
    import torch_geometric.nn  # noqa: F401
