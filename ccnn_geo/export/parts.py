"""Predictions for many files by several processes: each stores its results, and the last one merges them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ccnn_geo.export.predictor import Predictor
from ccnn_geo.export.records import Record, as_csv
from ccnn_geo.export.scenes.votes import ONE_VOTE
from ccnn_geo.io.files.parts import part_path, part_paths
from ccnn_geo.io.files.storage import exclusive, write_atomic

TABLE, WHOLE = "predictions.csv", "predictions.json"
_ENDING = ".jsonl"
_MODEL = "model, number of votes or axis"


def digest_of(model: Predictor) -> str:
    """A digest that identifies predictions: weights, classes, preparation, votes and rotation of the model."""
    votes = [] if model.votes == ONE_VOTE else [asdict(model.votes)]
    turn = [] if model.turn is None else [repr(model.turn)]
    known = [model.classes, model.pipeline.settings(), *votes, *turn]
    found = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        found.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


class Parts:
    """The predictions of one process for its share of the files, in a folder shared with other processes.

    Each prediction adds a line, so a killed process loses at most the last one. The process that finds all files done
    writes :data:`TABLE` and :data:`WHOLE`, and removes the parts. A later call only predicts for files that failed,
    are new, or have changed since.

    Args:
        folder: Folder of the predictions.
        digest: Digest of the model, see :func:`digest_of`.
        files: All files, the same in all processes.
        rank: Rank of this process.
        size: Number of processes.
        is_there: Whether the output of a file, besides its record, still exists.

    Raises:
        ValueError: If the folder has predictions of another model, or for other files.
    """

    def __init__(
        self,
        folder: Path,
        digest: str,
        files: Sequence[str],
        rank: int = 0,
        size: int = 1,
        is_there: Callable[[str], bool] = lambda file: True,
    ) -> None:
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"--out: expected a folder for the predictions, got the file {folder}")
        self.folder, self.digest, self.rank, self.size = folder, digest, rank, size
        self.files = list(dict.fromkeys(files))
        self.stamps = {file: _stamp(file) for file in self.files}
        self._in_whole = 0  # number of files in the whole
        folder.mkdir(parents=True, exist_ok=True)
        self.path = part_path(folder, rank, size, _ENDING)
        with exclusive(folder, WHOLE):  # another process may merge the parts
            known = self._known()
        done = {file for file, found in known.items() if "error" not in found and is_there(file)}
        self.own = self.files[rank::size]
        self.rest = [file for file in self.own if file not in done]

    def add(self, found: Iterable[Record]) -> None:
        """Stores predictions, ``{"file": ..., ...}``, or errors, ``{"file": ..., "error": ...}``."""
        lines = "".join(
            json.dumps({"model": self.digest, "stamp": self.stamps[one["file"]], **one}, allow_nan=False)
            + "\n"
            for one in found
        )
        with exclusive(self.folder, WHOLE), self.path.open("ab") as file:
            file.write(lines.encode())

    def finish(self) -> bool:
        """Merges all parts if every file has a prediction; returns whether the whole exists."""
        with exclusive(self.folder, WHOLE):
            known, parts = self._known(), part_paths(self.folder, _ENDING)
            if not set(self.files) <= known.keys():
                return False
            if not parts and self._in_whole == len(self.files):  # nothing is new or missing
                return True
            answers = [known[file] for file in self.files]
            good = [one for one in answers if "error" not in one]
            whole = {"model": self.digest, "stamps": list(self.stamps.values()), "answers": answers}
            table = as_csv(good)
            write_atomic(self.folder / TABLE, lambda file: file.write(table.encode()))
            text = json.dumps(whole, indent=2, allow_nan=False) + "\n"
            write_atomic(self.folder / WHOLE, lambda file: file.write(text.encode()))
            for path in parts:
                path.unlink()
            return True

    def _stored(self) -> dict[str, Record]:
        """Records in the whole for unchanged files, by file; empty if there is none yet."""
        path = self.folder / WHOLE
        self._in_whole = 0
        if not path.exists():
            return {}
        try:
            stored = json.loads(path.read_text())
            model, known = stored["model"], {one["file"]: one for one in stored["answers"]}
            # an earlier release stored no stamps
            stamps = stored.get("stamps") or [self.stamps.get(file) for file in known]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"--out {self.folder}: holds a {WHOLE} that predict did not write; name another folder"
            ) from error
        self._in_whole = len(known)
        others = [file for file, one in known.items() if file not in self.stamps and "error" not in one]
        if model != self.digest or others:
            other = (
                f"another {_MODEL}"
                if model != self.digest
                else f"{len(others)} other files, such as {others[0]}"
            )
            raise ValueError(f"--out {self.folder}: holds the {WHOLE} of {other}; name another folder")
        return {
            file: found
            for (file, found), stamp in zip(known.items(), stamps, strict=False)
            if file in self.stamps and stamp == self.stamps[file]
        }

    def _known(self) -> dict[str, Record]:
        """Records in the whole and all parts for unchanged files, by file; predictions take precedence over errors."""
        known = self._stored()
        for path in part_paths(self.folder, _ENDING):
            lines = path.read_bytes().split(b"\n")
            if lines[-1] and path == self.path:  # a killed process: the rest of its last line
                path.write_bytes(b"".join(line + b"\n" for line in lines[:-1]))
            for number, line in enumerate(lines[:-1], 1):
                try:
                    found: dict[str, Any] = json.loads(line)
                    model, file, stamp = found.pop("model"), found["file"], found.pop("stamp", None)
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise ValueError(
                        f"--out {self.folder}: line {number} of {path.name} is damaged; remove that file to predict "
                        "its contents again"
                    ) from error
                if model != self.digest:
                    raise ValueError(
                        f"--out {self.folder}: {path.name} holds predictions of another {_MODEL}; name another folder"
                    )
                is_as_it_was = stamp == self.stamps.get(file)
                if is_as_it_was and "error" in known.get(file, {"error": ""}):
                    known[file] = found
        return known


def _stamp(file: str) -> list[int] | None:
    """Size and time of a file, or of the table that holds a sample; None if there is none."""
    for path in (Path(file), Path(file).parent):
        try:
            found = path.stat()
        except OSError:
            continue
        return [found.st_size, found.st_mtime_ns] if path.is_file() else None
    return None
