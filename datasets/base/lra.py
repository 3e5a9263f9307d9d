"""Finds the folders of the Long Range Arena's release, and unpacks only the one that is needed."""

from __future__ import annotations

from pathlib import Path

from ccnn_geo.datasets.base.info import DataFile
from ccnn_geo.io.files.archive import extract_atomic
from ccnn_geo.io.files.download import fetch
from ccnn_geo.io.files.storage import exclusive

FOLDER = "lra"

RELEASE = DataFile(
    "https://storage.googleapis.com/long-range-arena/lra_release.gz", "lra_release.gz", None, 7_700_000_000
)
"""About 7.7 GB; a tar file despite its name. The publisher gives no checksum."""

_INSIDE = ("", "lra_release", "lra_release/lra_release")


def part(root: Path, name: str, download: bool, checksum: str | None, otherwise: str) -> Path:
    """Returns the folder ``name`` of the release under ``root/lra``: placed by hand, or unpacked from the archive.

    Args:
        root: Folder of all data sets.
        name: For instance ``listops-1000`` or ``pathfinder32/curv_contour_length_14``; also found in ``root`` itself,
            and in an archive that was unpacked as a whole.
        download: Fetch the archive if neither folder nor archive is there.
        checksum: Checksum of the archive; "published" means none, because none is published.
        otherwise: Another way out for the user, for the message.

    Raises:
        ConnectionError: If the archive cannot be fetched.
        FileNotFoundError: If neither folder nor archive exists, and ``download`` is False.
        ValueError: If the archive has another checksum, or no such folder.
    """
    folder, archive = root / FOLDER, root / FOLDER / RELEASE.path
    with exclusive(folder, name.replace("/", "-")):
        for inside in _INSIDE:
            for place in (folder / inside / name, root / inside / name):
                if place.is_dir():
                    return place
        if not archive.exists() and not download:
            raise FileNotFoundError(
                f"neither {folder / name} nor {archive} exists; place the folder {name} of {RELEASE.url} or the whole "
                f"archive there, use download=True, or {otherwise}"
            )
        try:
            fetch(RELEASE.url, archive, None if checksum == "published" else checksum)
        except ConnectionError as error:
            raise ConnectionError(
                f"{error}; its folder {name} alone at {folder / name} is enough, or {otherwise}"
            ) from error
        extract_atomic(archive, f"{_INSIDE[-1]}/{name}", folder / name)
        return folder / name
