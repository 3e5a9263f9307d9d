"""Data sets of shapes by name: their class, splits and arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import torch

from ccnn_geo._base.argument_types import check_types
from ccnn_geo._base.nearest import did_you_mean
from ccnn_geo.datasets import ShapeDataset
from ccnn_geo.datasets.base.class_folders import split_folders
from ccnn_geo.datasets.base.find_layout import Layout, found_splits
from ccnn_geo.datasets.registry import dataset_class
from ccnn_geo.datasets.shapes.shapes import is_sampled
from ccnn_geo.training.seeds import mix_seed

OWN = frozenset({"num_points", "num_samples", "seed", "k", "frame", "cells", "transform"})
"""Arguments of data sets that the data module sets."""


def shapes_class(dataset: str) -> type[ShapeDataset]:
    """The class of a data set of shapes, by its name.

    Raises:
        ValueError: For an unknown name, or a data set of another family.
    """
    cls = dataset_class(dataset)
    if not is_sampled(cls):
        raise ValueError(
            f"data.dataset: expected a data set of shapes, got {dataset!r}, of {cls.info.family}s"
        )
    return cls


def open_split(dataset: str, root: str, split: str, **kwargs: Any) -> ShapeDataset:
    """Opens one split of a data set.

    Args:
        dataset: Its name in :data:`ccnn_geo.datasets.registry.PLACES`.
        root: Folder of the data set, or folder to download to.
        split: ``train``, ``validation`` (folders only) or ``test``.
        **kwargs: Further arguments of the data set.

    Raises:
        ValueError: For an unknown data set.
        FileNotFoundError: If a folder or split does not exist.
        ShapeError: If files cannot be read.
    """
    opened: Callable[..., ShapeDataset] = shapes_class(dataset)
    with root_named(root):
        return opened(root, split, **kwargs)


def limited(samples: Any, limit: int | None, seed: int) -> Any:
    """The first samples in a fixed random order, for trials; all if there is no limit."""
    if limit is None:
        return samples
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(mix_seed(seed, "limit")))
    return samples[order[:limit]]


def check_limit(limit: int | None) -> None:
    """Refuses an impossible limit.

    Raises:
        ValueError: If it is below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"data.limit: expected 1 sample or more, or null for all, got {limit}")


@contextmanager
def root_named(root: str) -> Iterator[None]:
    """Adds the option for another folder to an error about missing data.

    Raises:
        FileNotFoundError: In place of one that does not name that option.
    """
    try:
        yield
    except FileNotFoundError as error:
        option = "--data.root"
        if option in str(error):
            raise
        raise FileNotFoundError(f"{error}; set {option} to the folder of the data, got {root!r}") from error


def is_there(dataset: str, root: str) -> bool:
    """Whether the folder of a user's own files exists; other data sets are downloaded."""
    return bool(dataset_class(dataset).info.counts) or Path(root).expanduser().is_dir()


def check_root(dataset: str, root: str) -> None:
    """Refuses a folder of a user's own files that does not exist, or has no folders of samples.

    Raises:
        FileNotFoundError: If so; names the folder, and the option for another one.
    """
    if not dataset_class(dataset).info.counts:
        with root_named(root):
            split_folders(Path(root).expanduser())


def check_arguments(dataset: str, arguments: Mapping[str, Any]) -> None:
    """Calls :func:`check_keywords` for a data set of shapes, by name."""
    check_keywords(shapes_class(dataset), arguments, OWN)


def check_keywords(dataset: type, arguments: Mapping[str, Any], own: Set[str] = frozenset()) -> None:
    """Refuses arguments that a data set does not have, that other settings cover, or that have the wrong type.

    Args:
        dataset: The class.
        arguments: Arguments by name.
        own: Names that are set elsewhere.

    Raises:
        ValueError: If there is such an argument.
    """
    known = keywords(dataset) - own
    unknown = set(arguments) - known
    if unknown:
        first = min(unknown)
        raise ValueError(
            f"data.dataset_args: expected some of {', '.join(sorted(known))}, got {', '.join(sorted(unknown))}"
            f"{did_you_mean(first, known)}"
        )
    check_types("data.dataset_args", dataset, arguments)


def keywords(dataset: type) -> set[str]:
    """Arguments after root and split; if ``**kwargs`` passes them on, also the keywords of the base class."""
    arguments = list(signature(dataset).parameters.values())[2:]
    for base in dataset.__mro__[1:]:
        if not arguments or arguments[-1].kind is not Parameter.VAR_KEYWORD:
            break
        passed = (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)
        init = signature(base.__init__)  # type: ignore[misc]  # read, not called
        more = [a for a in init.parameters.values() if a.kind in passed]
        arguments = [*arguments[:-1], *more]
    return {a.name for a in arguments if a.kind is not Parameter.VAR_KEYWORD}


def has_validation(dataset: str, root: str) -> bool:
    """Whether a user's own files have a validation split; otherwise a share of the training set serves."""
    cls = shapes_class(dataset)
    if cls.info.counts:
        return False
    with root_named(root):
        return "validation" in splits_of(cls, root)


def splits_of(dataset: type, root: str, arguments: Mapping[str, Any] | None = None) -> list[str]:
    """The splits of a user's own files, whatever their layout.

    Args:
        dataset: A class of data sets with the ``kind`` of its files, if these have a class each, or with its own
            ``layout``.
        root: The folder.
        arguments: Arguments of the data set.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the layout of the folder is ambiguous.
    """
    place, arguments = Path(root).expanduser(), arguments or {}
    layout: Callable[[Path, Mapping[str, Any]], Layout] | None = getattr(dataset, "layout", None)
    if layout is not None:
        return layout(place, arguments).splits
    return found_splits(place, getattr(dataset, "kind", None))
