"""Published files: found on disk, or fetched and unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.io.files.archive import extract_atomic
from ccnn_geo.io.files.download import fetch
from ccnn_geo.io.files.storage import exclusive

_ARCHIVES = (".tar.gz", ".tgz", ".zip")


def official_files(
    root: Path,
    info: DatasetInfo,
    needed: Sequence[str],
    *,
    download: bool = True,
    checksum: str | None = "published",
) -> list[Path]:
    """Returns the paths of the files that a split needs; fetches and unpacks them if they are missing.

    One rule for all: files are looked for in ``root/<info.folder>``, then in ``root`` itself, all in the same
    place; a ``.gz`` may also lie there unpacked. Downloads go to ``root/<info.folder>``. Digests of archives and of
    downloads are checked; files placed unpacked are checked by their content.

    Args:
        root: Folder of all data sets, or of this one.
        info: The data set.
        needed: Names as published; for files in an archive they begin with its folder.
        download: Fetch what is missing.
        checksum: "published" for the digests of ``info``, None for none, or the digest of the only file.

    Raises:
        ConnectionError: If a file cannot be fetched; the message says which file to place where.
        FileNotFoundError: If files are missing and ``download`` is False.
        ValueError: For a wrong digest, a damaged archive, or an incomplete unpacked folder.
    """
    home = root / info.folder
    if found := _all(home, needed) or _all(root, needed):
        return found
    inner = Path(needed[0]).parts[0] if "/" in needed[0] else None
    for folder in (home, root):
        if inner is not None and (folder / inner).is_dir():
            raise ValueError(_incomplete(folder, needed) + "; remove the folder to unpack it again")
    files = [file for file in info.files if inner is not None or file.path in needed]
    digests = {file.path: _digest(info, file, checksum) for file in files}
    if not download and (lacking := [file for file in files if _placed(file, home, root) is None]):
        raise FileNotFoundError(
            f"{info.name}: no {', '.join(file.path for file in lacking)} in {home}; place the published files "
            f"there ({', '.join(file.url for file in lacking)}), or use download=True"
        )
    with exclusive(root, info.folder):
        if found := _all(home, needed):  # from a process that was faster
            return found
        for file in files:
            path = _placed(file, home, root)
            if path is None or inner is not None:
                path = fetch(file.url, path or home / file.path, digests[file.path])
            if inner is not None:
                home.mkdir(exist_ok=True)
                extract_atomic(path, inner, home / inner)
    if found := _all(home, needed):
        return found
    raise ValueError(_incomplete(home, needed))


def _placed(file: DataFile, home: Path, root: Path) -> Path | None:
    """Finds a published file; an archive may also lie in ``root``."""
    if file.path.endswith(_ARCHIVES):
        return next((folder / file.path for folder in (home, root) if (folder / file.path).exists()), None)
    return _find(home, file.path)


def _all(folder: Path, needed: Sequence[str]) -> list[Path] | None:
    found = [path for name in needed if (path := _find(folder, name)) is not None]
    return found if len(found) == len(needed) else None


def _find(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / name.removesuffix(".gz")) if p.is_file()), None)


def _incomplete(folder: Path, needed: Sequence[str]) -> str:
    return f"{folder}: no {', '.join(name for name in needed if _find(folder, name) is None)}"


def _digest(info: DatasetInfo, file: DataFile, checksum: str | None) -> str | None:
    if checksum == "published":
        return file.checksum
    if checksum is not None and len(info.files) > 1:
        raise ValueError(
            f"{info.name}: checksum must be 'published' or None for {len(info.files)} files, got {checksum!r}"
        )
    return checksum
