"""Packages of the extras: if one is missing, an error of one line names the extra to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

EXTRAS: dict[str, dict[str, str]] = {
    "train": {
        "pytorch_lightning": "pytorch-lightning",
        "jsonargparse": "jsonargparse",
        "torchmetrics": "torchmetrics",
        "yaml": "pyyaml",
    },
    "data": {
        "trimesh": "trimesh",
        "PIL": "pillow",
        "laspy": "laspy",
        "lazrs": "lazrs",
        "loky": "loky",
        "pooch": "pooch",
        "yaml": "pyyaml",
    },
    "viz": {"matplotlib": "matplotlib", "plotly": "plotly", "tensorboard": "tensorboard"},
    "accel": {"torch_cluster": "torch-cluster", "torch_scatter": "torch-scatter"},
    "open3d": {"open3d": "open3d"},
    "audio": {"soundfile": "soundfile"},
    "parquet": {"pyarrow": "pyarrow"},
    "hub": {"huggingface_hub": "huggingface_hub"},
    "onnx": {"onnx": "onnx", "onnxscript": "onnxscript", "onnxruntime": "onnxruntime"},
    "peers": {"perceiver_pytorch": "perceiver-pytorch"},
}
"""Modules that this package imports from each extra, and the names to install them by."""

PACKAGES = {module: name for modules in EXTRAS.values() for module, name in modules.items()}
"""Modules and packages of all extras."""


class MissingExtra(ImportError):
    """A package of an extra is missing.

    Args:
        who: The function or command that needs it.
        needed: The packages, as listed in the message.
        extra: The extra that brings them.
        module: The module that could not be imported.

    Example:
        >>> print(MissingExtra("read_image", "pillow", "data", "PIL"))
        read_image: needs pillow: pip install 'ccnn_geo[data]'
    """

    def __init__(self, who: str, needed: str, extra: str, module: str) -> None:
        self.remedy = f"needs {needed}: pip install 'ccnn_geo[{extra}]'"
        super().__init__(f"{who}: {self.remedy}", name=module)
        self.given = who, needed, extra, module
        self.needed, self.extra = needed, extra

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str, str, str]]:
        return type(self), self.given  # loading processes send it to their parent


@contextmanager
def needs(extra: str, who: str) -> Iterator[None]:
    """A block of imports from an extra. Blocks may nest: the outer one names the caller that needs a package.

    Args:
        extra: A key of :data:`EXTRAS`, or ``"all"``.
        who: The function or command that needs them, for the message.

    Raises:
        MissingExtra: If one of them cannot be imported.

    Example:
        >>> with needs("hub", "push_to_hub"):
        ...     import no_such_module
        Traceback (most recent call last):
        ccnn_geo._base.extras.MissingExtra: push_to_hub: needs no_such_module: pip install 'ccnn_geo[hub]'
    """
    try:
        yield
    except MissingExtra as error:
        raise MissingExtra(who, error.needed, error.extra, error.name or "") from error
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        if module in ("", "ccnn_geo"):  # our own module, or none
            raise
        needed = PACKAGES.get(module, module)
        if not isinstance(error, ModuleNotFoundError):  # broken: a system library may be missing
            needed += f" ({error})"
        raise MissingExtra(who, needed, extra, module) from error


def require(extra: str, who: str, *modules: str) -> None:
    """Checks that modules of an extra are installed, all at once and before work begins; imports none of them.

    Args:
        extra: A key of :data:`EXTRAS`, or ``"all"`` with the modules named.
        who: The function or command that needs them, for the message.
        modules: The modules needed; by default all of the extra.

    Raises:
        MissingExtra: If one is not installed; the message lists all missing ones.
    """
    absent = [module for module in modules or EXTRAS[extra] if find_spec(module) is None]
    if absent:
        raise MissingExtra(who, ", ".join(PACKAGES[module] for module in absent), extra, absent[0])
