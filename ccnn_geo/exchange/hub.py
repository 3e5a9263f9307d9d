"""Where a model is: a folder here, or a repository of the Hugging Face hub."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import Any

from ccnn_geo.exchange.folder import CONFIG, PICKLE, WEIGHTS

NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def find_folder(
    source: str | PathLike[str], revision: str | None = None, allow_pickle: bool = False, **hub: Any
) -> Path:
    """The folder of a model, downloaded if it is not one here.

    Args:
        source: A folder, or ``user/name`` on the Hugging Face hub.
        revision: Branch, tag or commit there.
        allow_pickle: Whether a pickle is downloaded as well.
        **hub: Further arguments of :func:`huggingface_hub.snapshot_download`.

    Raises:
        FileNotFoundError: If it is neither here nor there.
        ImportError: If it may be there, but the extra ``hub`` is not installed.
        ValueError: If it is a file, or a revision of a folder is asked for.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        if revision is not None:
            raise ValueError(f"{source}: a folder here has no revisions, got revision={revision!r}")
        return path
    if path.exists():
        raise ValueError(
            f"{source}: a file, expected a folder; of a checkpoint of ccnn-geo train one is made by: "
            f"ccnn-geo export {source} OUT"
        )
    if not isinstance(source, str) or not NAME.fullmatch(source):
        raise FileNotFoundError(f"{source}: no such folder, and not a name on the hub such as user/name")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ImportError(
            f"{source}: no such folder here; to look on the Hugging Face hub install the extra: "
            f"pip install 'ccnn_geo[hub]' ({error})"
        ) from error
    wanted = [CONFIG, WEIGHTS, *([PICKLE] if allow_pickle else [])]
    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=wanted, **hub))
    except Exception as error:  # whatever a network, a server and a cache can come up with
        said = str(error).strip().partition("\n")[0]
        raise FileNotFoundError(
            f"{source}: no such folder here, and not to be had from the Hugging Face hub "
            f"({type(error).__name__}: {said})"
        ) from error
