"""Fetches a published file, resumes a broken transfer, and checks the result."""

import os
import re
from pathlib import Path

from ccnn_geo._base.extras import needs
from ccnn_geo.io.files.progress import progress

MESSAGE = (
    "could not fetch {url} ({error}). Without a network, get the file by other means and place it at {path}, "
    "then run again; a broken transfer resumes by itself"
)


def fetch(url: str, path: Path, checksum: str | None = None) -> Path:
    """Returns the file at ``path``; downloads it if it is missing.

    Args:
        url: http or https address.
        path: Path of the file; an incomplete file is kept beside it as ``<name>.part``.
        checksum: ``sha256:...`` or ``md5:...`` (sha256 without a name), hexadecimal; None accepts any content.

    Raises:
        ConnectionError: If it cannot be fetched; the message says which file to place where.
        ImportError: If pooch is not installed, which fetches files and computes digests.
        ValueError: If the digest differs.
    """
    with needs("data", f"fetch {path}"):
        import pooch
        import requests

    algorithm, _, digest = (checksum or "").rpartition(":")
    algorithm = algorithm or "sha256"
    if path.exists():
        found = pooch.file_hash(str(path), alg=algorithm) if digest else ""
        if found != digest:
            raise ValueError(
                f"{path}: {algorithm} is {found}, expected {digest}; remove the file to fetch it again, or pass "
                f"checksum=None to accept it"
            )
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        pooch.retrieve(
            url,
            known_hash=f"{algorithm}:{digest}" if digest else None,
            fname=path.name,
            path=path.parent,
            downloader=_Resuming(path.with_name(path.name + ".part")),
        )
    except requests.RequestException as error:
        raise ConnectionError(MESSAGE.format(url=url, path=path, error=_reason(error))) from error
    return path


def _reason(error: Exception) -> str:
    """The cause of an error, without the names of all objects that it passed through."""
    inner = error.args[0] if error.args else error
    return re.sub(r"^(<[^>]*>|\w+\(.*\)): ", "", str(getattr(inner, "reason", inner)))


class _Resuming:
    """A pooch downloader that keeps the received bytes and requests the rest."""

    def __init__(self, part: Path, attempts: int = 3) -> None:
        self.part = part
        self.attempts = attempts

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        import requests

        for attempt in range(1, self.attempts + 1):
            try:
                self._continue(url)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if attempt == self.attempts:
                    raise
        os.replace(self.part, output_file)

    def _continue(self, url: str) -> None:
        import requests

        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity"}  # ranges count the bytes of the file itself
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            if answer.status_code == 416:  # nothing after our bytes: complete, or another file
                if answer.headers.get("Content-Range") == f"bytes */{have}":
                    return
                self.part.unlink()
                raise requests.ConnectionError(f"{have} bytes are more than the server has; starting over")
            answer.raise_for_status()
            if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                have = 0  # the server sends the whole file
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            bar = progress(title=self.part.stem, initial=have, total=total, unit="B")
            with self.part.open("ab" if have else "wb") as file, bar:
                for chunk in answer.iter_content(2**14):
                    file.write(chunk)
                    bar.update(len(chunk))
        if total is not None and self.part.stat().st_size < total:
            raise requests.ConnectionError(f"{self.part.stat().st_size} of {total} bytes received")
