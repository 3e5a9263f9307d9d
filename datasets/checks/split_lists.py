"""Lists of the recordings of a split, as in Speech Commands; folders of classes ignore them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ccnn_geo.datasets.audio.speech_commands import WORDS
from ccnn_geo.datasets.audio.speech_files import LISTS


def told_lists(root: Path, classes: Sequence[str]) -> list[str]:
    """Returns a line on such lists in a folder, with the data set that reads them; nothing if one is missing.

    Args:
        root: The folder.
        classes: The folders of recordings in it.
    """
    if not all((root / name).is_file() for name in LISTS.values()):
        return []
    words = [name for name in classes if not name.startswith("_")]  # such as _background_noise_
    given = "" if set(words) == set(WORDS) else f" --data.dataset_args.words {_quoted(words)}"
    return [
        f"{' and '.join(LISTS.values())} are not read; the data set that takes its splits from them: --data.dataset "
        f"speech_raw --data.dataset_args.splitting official{given}"
    ]


def _quoted(words: Sequence[str]) -> str:
    return shlex.quote(f"[{','.join(words)}]")
