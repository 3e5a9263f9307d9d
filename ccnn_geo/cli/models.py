"""The command ``ccnn-geo models``: trained networks that come with the package."""

from __future__ import annotations

import textwrap

from ccnn_geo.cli.terminal import OneLineParser, print_table


def main(arguments: list[str]) -> None:
    """Lists the trained networks, or describes one."""
    parser = OneLineParser(
        prog="ccnn-geo models",
        description="Lists the trained networks that come with the package, or describes one. "
        "ccnn-geo predict NAME FILE... uses it.",
    )
    parser.add_argument("name", nargs="?", help="Name of a network.")
    options = parser.parse_args(arguments)

    from ccnn_geo.export.loading import load
    from ccnn_geo.export.packaged import packaged_models

    known = packaged_models()
    if options.name is None:
        rows = [(name, about["title"], about["takes"], about["accuracy"]) for name, about in known.items()]
        print_table([("name", "predicts", "takes", "accuracy"), *rows])
        return
    if options.name not in known:
        raise ValueError(f"models: expected one of {', '.join(known)}, got {options.name!r}")
    about, model = known[options.name], load(options.name)
    size = sum(parameter.numel() for parameter in model.network.parameters())
    lines = {
        "predicts": f"{about['title']}: {', '.join(model.classes)}",
        **{key: about[key] for key in ("takes", "accuracy", "data", "licence", "limits", "trained")},
        "network": f"{size:,} parameters, in {about['folder']}",
    }
    for key, text in lines.items():
        print(textwrap.fill(f"{key:<10}{text}", 100, subsequent_indent=" " * 10, break_on_hyphens=False))
