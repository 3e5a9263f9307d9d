"""Networks that are written to a folder and read back, in this release or a later one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from ccnn_geo.continuous_conv import ContinuousConv
from ccnn_geo.exchange.folder import CONFIG, WEIGHTS, read_config, read_weights, weights_writer, write_folder
from ccnn_geo.exchange.hub import find_folder

Model = TypeVar("Model", bound="Pretrained")
SHOWN = 4
"""Names that an error lists before it counts the rest."""


class Pretrained(nn.Module):
    """Base of networks that know the arguments they were made with."""

    _given: dict[str, Any]

    def remember_arguments(self, given: Mapping[str, Any]) -> None:
        """Keeps the arguments of a constructor, its local variables."""
        self._given = {k: v for k, v in given.items() if k not in ("self", "__class__", "conv_kwargs")}

    @property
    def config(self) -> dict[str, Any]:
        """All arguments that make such a network, those left out as well: defaults may change one day.

        Raises:
            ValueError: If one is not a plain value.
        """
        given = {**_defaults(ContinuousConv), **self._given}
        return {name: _plain(value, name) for name, value in given.items()}

    def save_pretrained(self, folder: str | PathLike[str], overwrite: bool = False) -> Path:
        """Writes the network to a folder: ``config.json`` and ``model.safetensors``, complete or absent.

        Parameters and buffers are kept, with what the first batch has set and statistics of the norms.

        Args:
            folder: A new one, or an empty one.
            overwrite: Replace the model of a folder that is not empty; other files stay.

        Raises:
            ValueError: If the folder is not empty, or the network is not what its arguments make: its settings
                were changed since, or it is a part of a :class:`~ccnn_geo.joint.JointCCNN`.
        """
        folder = Path(folder).expanduser()
        write_folder(folder, {"network": self.checked_config()}, self.weight_files(), overwrite)
        return folder

    def weight_files(self) -> dict[str, Any]:
        """The files of its weights, by name, and what writes them."""
        return {WEIGHTS: weights_writer(self.state_dict())}

    def checked_config(self) -> dict[str, Any]:
        """:attr:`config`, after a network of it was compared with this one.

        Raises:
            ValueError: If they differ in more than their weights.
        """
        config = self.config
        again = _made(type(self), config, type(self).__name__)
        try:
            _compare(again.state_dict(), self.state_dict())
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__}.save_pretrained: not the network that its arguments make, {error}; of a "
                "JointCCNN save what separate() gives"
            ) from error
        mine, fresh = _settings(self), _settings(again)
        for name, value in mine.items():
            if fresh.get(name, value) != value:
                raise ValueError(
                    f"{type(self).__name__}.save_pretrained: {name} is {value!r}, but {fresh[name]!r} in a network "
                    "of the same arguments; give it to the constructor, for it would be lost"
                )
        return config

    @classmethod
    def from_pretrained(
        cls: type[Model],
        source: str | PathLike[str],
        revision: str | None = None,
        device: torch.device | str = "cpu",
        allow_pickle: bool = False,
        **hub: Any,
    ) -> Model:
        """Reads a network that :meth:`save_pretrained` has written, in evaluation mode; nothing in it is executed.

        Args:
            source: The folder, or ``user/name`` on the Hugging Face hub (extra ``hub``).
            revision: Branch, tag or commit on the hub.
            device: Where the network goes.
            allow_pickle: Take ``pytorch_model.bin`` where there is no ``model.safetensors``: its tensors alone.
            **hub: Further arguments of :func:`huggingface_hub.snapshot_download`: ``token``, ``cache_dir``,
                ``local_files_only``.

        Raises:
            FileNotFoundError: If it is neither here nor on the hub, or not such a folder.
            ImportError: If it may be on the hub, but the extra is not installed.
            ValueError: If the folder is damaged, of a newer format, holds pickles alone, or does not fit.
        """
        folder = find_folder(source, revision, allow_pickle, **hub)
        return cls.from_config(read_config(folder), folder, allow_pickle).to(device)

    @classmethod
    def from_config(
        cls: type[Model], config: Mapping[str, Any], folder: Path, allow_pickle: bool = False
    ) -> Model:
        """The network of a folder whose ``config.json`` has been read."""
        where = f"{folder / CONFIG} (written by ccnn_geo {config.get('package_version')})"
        network = _made(cls, config["network"], where)
        weights = read_weights(folder, config, allow_pickle)
        try:
            _compare(network.state_dict(), weights)
        except ValueError as error:
            raise ValueError(f"{folder}: the weights do not fit {CONFIG}, {error}") from error
        network.load_state_dict(weights, assign=True)  # in the type they were written in
        return network.eval()


def _made(cls: type[Model], given: Mapping[str, Any], where: str) -> Model:
    """A network of plain arguments; the random numbers of others stay what they are."""
    from ccnn_geo import __version__

    own = inspect.signature(cls.__init__).parameters
    needed = {name for name, p in own.items() if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
    missing = needed - {"self", *given}
    if missing:
        raise ValueError(f"{where}: the network lacks {_listed(missing)}")
    known = {*own, *_defaults(ContinuousConv), *_defaults(MessagePassing)}
    unknown = {name for name in given if name not in known}
    if unknown:
        raise ValueError(
            f"{where}: the network has {_listed(unknown)}, which ccnn_geo {__version__} does not know; "
            "the release that wrote it does"
        )
    with torch.random.fork_rng(devices=[]):
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from error


def _defaults(cls: type) -> dict[str, Any]:
    found = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in found if p.default is not p.empty}


def _compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Finds names or shapes of two state dicts that differ."""
    shapes = [k for k in expected if k in found and expected[k].shape != found[k].shape]
    if shapes:
        raise ValueError(
            f"{shapes[0]} is {list(found[shapes[0]].shape)}, expected {list(expected[shapes[0]].shape)}"
        )
    missing, extra = [[k for k in a if k not in b] for a, b in ((expected, found), (found, expected))]
    said = [f"without {_listed(missing)}"] * bool(missing) + [f"with {_listed(extra)}"] * bool(extra)
    if said:
        raise ValueError(" and ".join(said))


def _listed(names: Iterable[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _settings(network: nn.Module) -> dict[str, Any]:
    """All plain attributes of all modules, by name."""
    kinds = (bool, int, float, str, tuple, type(None))
    return {
        f"{prefix}.{name}".removeprefix("."): value
        for prefix, module in network.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, kinds) and not name.startswith("_") and name != "training"
    }


def _plain(value: Any, name: str) -> Any:
    """A value as JSON has it: numbers of arrays become Python's, tuples lists."""
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, name) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry, name) for entry in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f"CCNN.config: expected a plain value of {name}, got {value!r}")
