"""Saves networks to a folder and reads them back, in this release or a later one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from ccnn_geo.io.models.folder import CONFIG, WEIGHTS, read_config, read_weights, weights_writer, write_folder
from ccnn_geo.io.models.hub import find_folder, push_to_hub
from ccnn_geo.kernels.config import KernelConfig
from ccnn_geo.nn.compare import compare, first_names, settings
from ccnn_geo.nn.config import conv_defaults, made, plain
from ccnn_geo.nn.limits import no_larger_than
from ccnn_geo.nn.old_keys import with_new_keys

Model = TypeVar("Model", bound="Pretrained")


class Pretrained(nn.Module):
    """Base of networks that remember their constructor's arguments.

    Example:
        >>> from ccnn_geo import CCNN
        >>> CCNN.from_preset("ccnn_4_16", dim=2, in_channels=3, out_channels=10).config["hidden_channels"]
        16
    """

    saved_as: ClassVar[str] = "CCNN"
    """The ``model`` entry in a folder's ``config.json``."""

    _given: dict[str, Any]

    def remember_arguments(self, config: KernelConfig | None = None, **given: Any) -> None:
        """Keeps the arguments of a constructor."""
        self._given = {**({} if config is None else asdict(config)), **given}

    @property
    def config(self) -> dict[str, Any]:
        """All arguments of the constructor, including defaults, because defaults may change one day.

        Raises:
            ValueError: If one is not a plain value.
        """
        given = {**conv_defaults(), **self._given}
        return {name: plain(value, name) for name, value in given.items()}

    @classmethod
    def from_arguments(
        cls: type[Model], given: Mapping[str, Any], where: str, weights: Mapping[str, Tensor] | None = None
    ) -> Model:
        """Builds a fresh network from a :attr:`config`, no larger than its stored weights.

        Args:
            given: The arguments.
            where: Their origin, the start of error messages.
            weights: The weights stored with them.
        """
        with contextlib.nullcontext() if weights is None else no_larger_than(weights):
            return made(cls, given, where)

    def save_pretrained(self, folder: str | PathLike[str], overwrite: bool = False) -> Path:
        """Writes the network to a folder: ``config.json`` and ``model.safetensors``, complete or absent.

        Stores all parameters and buffers, including the values that the first batch has set and the statistics of the
        norms. Shared modules are stored once.

        Args:
            folder: A new or empty folder.
            overwrite: Replace the model in a folder that is not empty; other files stay.

        Raises:
            ValueError: If the folder is not empty, or the network no longer matches its arguments: its settings have
                changed, or it belongs to a :class:`~ccnn_geo.nn.joint.JointCCNN`.
        """
        folder = Path(folder).expanduser()
        config = {"model": self.saved_as, "network": self.checked_config()}
        write_folder(folder, config, self.weight_files(), overwrite)
        return folder

    def push_to_hub(
        self, name: str, revision: str | None = None, message: str | None = None, **hub: Any
    ) -> str:
        """Uploads the files of :meth:`save_pretrained` to the Hugging Face hub (extra ``hub``).

        Args:
            name: ``user/name`` on the hub; created if it does not exist.
            revision: Branch, created if it does not exist; by default the main one.
            message: Commit message.
            **hub: ``token``, ``private`` and ``endpoint``, see :func:`~ccnn_geo.export.push_to_hub`.

        Returns:
            Address of the commit.

        Raises:
            ImportError: If the extra is not installed.
            OSError: If the hub rejects the upload.
            ValueError: If the name is invalid, or as in :meth:`save_pretrained`.
        """
        with tempfile.TemporaryDirectory() as folder:
            return push_to_hub(self.save_pretrained(folder), name, revision, message, **hub)

    def weight_files(self) -> dict[str, Any]:
        """The weight files by name, each with the function that writes it."""
        return {WEIGHTS: weights_writer(_weights(self))}

    def checked_config(self) -> dict[str, Any]:
        """Returns :attr:`config` after comparing a network built from it with this one.

        Raises:
            ValueError: If they differ in more than their weights.
        """
        config = self.config
        again = type(self).from_arguments(config, type(self).__name__)
        try:
            compare(_weights(again), _weights(self))
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__}.save_pretrained: the network does not match its arguments, {error}; for one "
                "of a JointCCNN, save the result of separate()"
            ) from error
        mine, fresh = settings(self), settings(again)
        for name, value in mine.items():
            if fresh.get(name, value) != value:
                raise ValueError(
                    f"{type(self).__name__}.save_pretrained: {name} is {value!r}, but {fresh[name]!r} in a network "
                    "with the same arguments; pass it to the constructor, or it would be lost"
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
        """Reads a network written by :meth:`save_pretrained`, in evaluation mode; executes no code from its files.

        Args:
            source: The folder, or ``user/name`` on the Hugging Face hub (extra ``hub``).
            revision: Branch, tag or commit on the hub.
            device: Device for the network.
            allow_pickle: Read ``pytorch_model.bin`` if there is no ``model.safetensors``: only its tensors.
            **hub: Further arguments of :func:`huggingface_hub.snapshot_download`: ``token``, ``cache_dir``,
                ``local_files_only``.

        Raises:
            FileNotFoundError: If it is neither here nor on the hub, or the folder holds no model.
            ImportError: If it may be on the hub, but the extra is not installed.
            ValueError: If the folder is damaged, has a newer format, holds only pickles, or does not fit.
        """
        folder = find_folder(source, revision, allow_pickle, **hub)
        return cls.from_config(read_config(folder), folder, allow_pickle).to(device)

    @classmethod
    def from_config(
        cls: type[Model], config: Mapping[str, Any], folder: Path, allow_pickle: bool = False
    ) -> Model:
        """Reads the network of a folder, given the content of its ``config.json``."""
        where = f"{folder / CONFIG} (written by ccnn_geo {config.get('package_version')})"
        found = config.get("model", "CCNN")
        if found != cls.saved_as:
            raise ValueError(
                f"{where}: holds a {found}, expected a {cls.saved_as}; {found}.from_pretrained reads it"
            )
        weights = read_weights(folder, config, allow_pickle)
        network = cls.from_arguments(config["network"], where, weights)
        weights = with_new_keys(network, weights)
        try:
            compare(_weights(network), weights)
        except ValueError as error:
            raise ValueError(f"{folder}: the weights do not fit {CONFIG}, {error}") from error
        whole = {name: weights[first] for name, first in first_names(network).items()}
        network.load_state_dict(whole, assign=True)  # keeps the type they were written in
        return network.eval()


def _weights(network: nn.Module) -> dict[str, Tensor]:
    """The state dict, with one name per shared tensor."""
    state = network.state_dict()
    return {name: state[name] for name, first in first_names(network).items() if name == first}
