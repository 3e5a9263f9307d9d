"""The pages that people read, and the commands on them."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *GUIDES]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands_of(page: Path) -> list[tuple[str, ...]]:
    """What follows ``ccnn-geo`` in the lines of a page; optional parts are given."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^    (?:torchrun .* -m ccnn_geo\.cli|ccnn-geo) (.*)$", text, re.M)
    given = (re.sub(r"\[(--[^]]*)\]", r"\1", re.sub(r"\s#.*", "", line)) for line in lines)
    return [tuple(shlex.split(line)) for line in given]
