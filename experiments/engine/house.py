"""The picture of the house: its floors, its rooms, and the number of imports from each room to the rooms below.

    python -m ccnn_geo.experiments.engine.house [--out docs/figures/house.svg]

Rooms are stairs. A line runs from each room to the right and turns down, at a number, into the room below.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ccnn_geo.experiments.engine.house_imports import (
    FLOORS,
    ROOT,
    between_rooms,
    find_imports,
    find_modules,
    room,
)
from ccnn_geo.io.files.storage import write_atomic

STEP, ROW = 46, 44
"""Width of a stair and height of a row, in pixels."""
BOX, TALL = 150, 34
"""Size of a room."""
LEFT, TOP = 78, 16
"""Space for the names of floors, and above the first one."""

STYLE = """
svg {
--paper: #fff; --band: #f1f3f6; --ink: #1c2128; --faint: #59636e;
--line: #9aa5b1; --box: #dbe9fb; --edge: #3b6fb5;
}
@media (prefers-color-scheme: dark) {
svg {
--paper: #14181d; --band: #1d232a; --ink: #e6eaee; --faint: #a5afb9;
--line: #66717d; --box: #1e3a5f; --edge: #7fb0ee;
}
}
text { font-family: system-ui, sans-serif; font-size: 12px; fill: var(--ink); }
.small { font-size: 10.5px; fill: var(--faint); }
.name { font-size: 13px; font-weight: 600; }
.count { font-size: 11px; text-anchor: middle; }
.paper { fill: var(--paper); }
.band { fill: var(--band); }
.box { fill: var(--box); stroke: var(--edge); }
.line { fill: none; stroke: var(--line); stroke-width: 1.4; }
.tip { fill: var(--line); }
.dot { fill: var(--paper); stroke: var(--edge); }
"""

CAPTION = (
    "Modules of the room at the left of a row",
    "import modules of the room at the foot of",
    "a column: a number says how many times.",
    "Lines of code are rounded.",
)


def draw_house(sizes: Mapping[str, tuple[int, int]], arrows: Mapping[tuple[str, str], int]) -> str:
    """Draws the picture, as the text of an SVG.

    Args:
        sizes: Modules and lines of each room.
        arrows: Number of imports from a room to another.
    """
    stairs = {name: at for at, name in enumerate(sorted(sizes, key=lambda name: (-FLOORS[name], name)))}
    width, height = LEFT + BOX + STEP * (len(stairs) - 1) + 20, 2 * TOP + ROW * len(stairs)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        "<title>Floors and rooms of ccnn_geo, and the imports between them</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
        *_bands(stairs, width),
        *_lines(stairs, arrows),
        *(_box(stairs[name], name or "ccnn_geo", *size) for name, size in sizes.items()),
        *(_dot(stairs[source], stairs[target], count) for (source, target), count in sorted(arrows.items())),
        *(
            f'<text class="small" x="{LEFT}" y="{height - 80 + 15 * at}">{escape(line)}</text>'
            for at, line in enumerate(CAPTION)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _row(stair: int) -> float:
    """Middle of a row."""
    return TOP + ROW * (stair + 0.5)


def _column(stair: int) -> float:
    """Position where lines come down into a room: near its right end, clear of the rooms above."""
    return LEFT + BOX - 22 + STEP * stair


def _bands(stairs: Mapping[str, int], width: int) -> list[str]:
    """Draws a band behind every second floor, and the names of all."""
    parts = []
    for floor in sorted({FLOORS[name] for name in stairs}):
        rows = [at for name, at in stairs.items() if FLOORS[name] == floor]
        y, tall = TOP + ROW * min(rows), ROW * len(rows)
        if floor % 2:
            parts.append(f'<rect class="band" x="0" y="{y}" width="{width}" height="{tall}"/>')
        parts.append(f'<text class="small" x="14" y="{y + tall / 2 + 4:g}">floor {floor}</text>')
    return parts


def _lines(stairs: Mapping[str, int], arrows: Mapping[tuple[str, str], int]) -> list[str]:
    """Draws lines from each room to the right, and into each room from above."""
    parts = []
    for name, at in stairs.items():
        if targets := [stairs[target] for source, target in arrows if source == name]:
            parts.append(
                f'<path class="line" d="M{_column(at) + 22:g} {_row(at):g}H{_column(max(targets)):g}"/>'
            )
        if sources := [stairs[source] for source, target in arrows if target == name]:
            x, end = _column(at), _row(at) - TALL / 2
            parts.append(f'<path class="line" d="M{x:g} {_row(min(sources)):g}V{end - 6:g}"/>')
            parts.append(f'<path class="tip" d="M{x:g} {end:g}l-4 -7h8z"/>')
    return parts


def _box(stair: int, name: str, modules: int, lines: int) -> str:
    x, y = _column(stair) + 22 - BOX, _row(stair) - TALL / 2
    size = f"{modules} module{'s' if modules > 1 else ''}, {_rounded(lines):,} lines"
    return (
        f'<rect class="box" x="{x:g}" y="{y:g}" width="{BOX}" height="{TALL}" rx="4"/>'
        f'<text class="name" x="{x + 8:g}" y="{y + 14:g}">{escape(name)}</text>'
        f'<text class="small" x="{x + 8:g}" y="{y + 28:g}">{size}</text>'
    )


def _dot(source: int, target: int, count: int) -> str:
    x, y = _column(target), _row(source)
    return (
        f'<circle class="dot" cx="{x:g}" cy="{y:g}" r="11"/>'
        f'<text class="count" x="{x:g}" y="{y + 4:g}">{count}</text>'
    )


def _rounded(lines: int) -> int:
    """Rounds to two digits, so that the picture does not change with every line."""
    return round(lines, 2 - len(str(lines)))


def house_of(root: Path = ROOT) -> str:
    """Draws the picture of a checkout."""
    modules = find_modules(root)
    count = Counter(room(name) for name in modules)
    lines: Counter[str] = Counter()
    for name, path in modules.items():
        lines[room(name)] += len(path.read_text(encoding="utf-8").splitlines())
    return draw_house(
        {name: (count[name], lines[name]) for name in count}, between_rooms(find_imports(modules))
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures" / "house.svg")
    out = parser.parse_args(argv).out
    try:
        picture = house_of().encode()
    except ValueError as error:  # this package is installed, not a checkout
        parser.error(str(error))
    write_atomic(out, lambda file: file.write(picture))
    print(out)


if __name__ == "__main__":
    main()
