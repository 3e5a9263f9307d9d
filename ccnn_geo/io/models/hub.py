"""Locates a model: a local folder, or a repository of the Hugging Face hub."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import Any, TypeGuard

from ccnn_geo._base.extras import needs
from ccnn_geo.io.models.folder import CONFIG, PICKLE, WEIGHTS, read_config, refuse_pickles

CARD = "README.md"
"""Metadata that the hub shows for a model."""
NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def may_be_on_hub(source: str | PathLike[str]) -> TypeGuard[str]:
    """Whether a source looks like ``user/name``; a path object never does."""
    return isinstance(source, str) and NAME.fullmatch(source) is not None


def find_folder(
    source: str | PathLike[str], revision: str | None = None, allow_pickle: bool = False, **hub: Any
) -> Path:
    """The folder of a model, downloaded if it is not local.

    Args:
        source: A folder, or ``user/name`` on the Hugging Face hub.
        revision: Branch, tag or commit on the hub.
        allow_pickle: Whether to download a pickle as well.
        **hub: Further arguments of :func:`huggingface_hub.snapshot_download`.

    Raises:
        FileNotFoundError: If it is neither here nor on the hub.
        ImportError: If it may be on the hub, but the extra ``hub`` is not installed.
        ValueError: If it is a file, or a local folder with a revision.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        if revision is not None:
            raise ValueError(f"{source}: a local folder has no revisions, got revision={revision!r}")
        return path
    if path.exists():
        raise ValueError(
            f"{source}: a file, expected a folder; make one from a checkpoint of ccnn-geo train with: "
            f"ccnn-geo export {source} OUT"
        )
    if not may_be_on_hub(source):
        raise FileNotFoundError(f"{source}: no such folder, and not a name on the hub such as user/name")
    with needs("hub", f"{source}: no such local folder; the Hugging Face hub"):
        from huggingface_hub import snapshot_download
    wanted = [CONFIG, WEIGHTS, *([PICKLE] if allow_pickle else [])]
    try:
        folder = Path(snapshot_download(source, revision=revision, allow_patterns=wanted, **hub))
    except Exception as error:  # networks, servers and caches raise errors of many types
        raise FileNotFoundError(
            f"{source}: no such local folder, and not available from the Hugging Face hub ({_said(error)})"
        ) from error
    if not all((folder / name).is_file() for name in wanted[:2]):
        _explain_absence(source, revision, folder, allow_pickle, hub)
    return folder


def _explain_absence(
    source: str, revision: str | None, folder: Path, allow_pickle: bool, hub: dict[str, Any]
) -> None:
    """Explains why a repository is not a model, unless a permitted pickle replaces the weights."""
    if allow_pickle and all((folder / name).is_file() for name in (CONFIG, PICKLE)):
        return
    from huggingface_hub import HfApi

    given = {key: hub[key] for key in ("endpoint", "token") if key in hub}
    try:
        names = HfApi(**given).list_repo_files(source, revision=revision)
    except Exception:  # only the cache can be seen
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    refuse_pickles(source, names)
    missing = [name for name in (CONFIG, WEIGHTS) if name not in names]
    raise FileNotFoundError(
        f"{source}: on the Hugging Face hub, but without {' and '.join(missing)}; expected the output of push_to_hub"
    )


def push_to_hub(
    folder: str | PathLike[str],
    name: str,
    revision: str | None = None,
    message: str | None = None,
    private: bool | None = None,
    **hub: Any,
) -> str:
    """Uploads the folder of a model, or a program, to the Hugging Face hub (extra ``hub``) in one commit.

    Only the files named in its ``config.json`` and ``README.md`` are uploaded.

    Args:
        folder: Written by ``save_pretrained``, :func:`~ccnn_geo.export.save_classifier` or ``ccnn-geo export``.
        name: ``user/name`` on the hub; created if missing.
        revision: Branch, created if missing; by default the main one.
        message: Message of the commit.
        private: Whether a new repository is private; by default the hub decides.
        **hub: ``token`` and ``endpoint`` of :class:`huggingface_hub.HfApi`.

    Returns:
        Address of the commit.

    Raises:
        FileNotFoundError: If it is not the folder of a model.
        ImportError: If the extra is not installed.
        OSError: If the hub refuses it.
        ValueError: If the name is not valid, or the folder is damaged.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"push_to_hub: expected a name such as user/name, got {name!r}")
    folder = Path(folder).expanduser()
    files = [CONFIG, *read_config(folder).get("sha256", {}), CARD]
    with needs("hub", "push_to_hub"):
        from huggingface_hub import HfApi
    api, message = HfApi(**hub), message or f"Upload {folder.name}"
    try:
        api.create_repo(name, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(name, branch=revision, exist_ok=True)
        done = api.upload_folder(
            repo_id=name, folder_path=folder, revision=revision, commit_message=message, allow_patterns=files
        )
    except Exception as error:  # networks and servers raise errors of many types
        raise OSError(f"{name}: not uploaded to the Hugging Face hub ({_said(error)})") from error
    return str(done.commit_url)


def _said(error: Exception) -> str:
    """Type and first lines of an error of the hub's library, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])}"
