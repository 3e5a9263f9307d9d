"""The settings that ``ccnn-geo train --from MODEL`` takes from a trained network: a configuration before all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ccnn_geo.cli.arguments import named_dataset, options


def refuse_start_and_resume(arguments: Sequence[str]) -> None:
    """Refuses ``--from`` with ``--resume``: a resumed run has its own weights.

    Raises:
        ValueError: If both are given.
    """
    if {"--from", "--resume"} <= {option for option, _ in options(arguments)}:
        raise ValueError("--from: a resumed run has its own weights; leave out one of --from and --resume")


@contextmanager
def with_settings_of_start(arguments: Sequence[str]) -> Iterator[list[str]]:
    """The arguments, preceded by a configuration with the settings of the network that ``--from`` names.

    Raises:
        FileNotFoundError, ValueError: If there is no such network, or its data are of a different kind.
    """
    given = [value for option, value in options(arguments) if option == "--from"]
    if not given:
        yield list(arguments)
        return
    source = given[-1]
    if source is None:
        raise ValueError("--from: expected a trained network, such as one of ccnn-geo models, got nothing")
    from ccnn_geo.training.data.families import data_module
    from ccnn_geo.training.lightning import yaml
    from ccnn_geo.training.start import settings_of

    found = settings_of(source)
    before = found["data"]["dataset"]
    dataset = named_dataset(arguments, before)
    if data_module(dataset) is not data_module(before):
        raise ValueError(f"--from {source}: trained on {before}, but {dataset} is a different kind of data")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "from.yaml"
        path.write_text(yaml.safe_dump({"name": f"from_{Path(source).name}", **found}))
        yield ["--config", str(path), *arguments]
