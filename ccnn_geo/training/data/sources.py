"""Data sets of shapes by name: their class, their splits, and which arguments they take."""

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
        ValueError: For an unknown name, or that of a data set of something else.
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
        root: Where it is, or where it goes.
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
    """The first samples of a fixed random order, for trials; all if there is no limit."""
    if limit is None:
        return samples
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(mix_seed(seed, "limit")))
    return samples[order[:limit]]


def check_limit(limit: int | None) -> None:
    """Finds a limit that cannot be.

    Raises:
        ValueError: If it is below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"data.limit: expected 1 sample or more, or null for all, got {limit}")


@contextmanager
def root_named(root: str) -> Iterator[None]:
    """Says which option names another folder where data are not found in this one.

    Raises:
        FileNotFoundError: In the place of one without that option.
    """
    try:
        yield
    except FileNotFoundError as error:
        option = "--data.root"
        if option in str(error):
            raise
        raise FileNotFoundError(f"{error}; {option} FOLDER says where the data are, got {root!r}") from error


def is_there(dataset: str, root: str) -> bool:
    """Whether the folder of a user's own files is there; other data sets are fetched."""
    return bool(dataset_class(dataset).info.counts) or Path(root).expanduser().is_dir()


def check_root(dataset: str, root: str) -> None:
    """Finds out that a folder of a user's own files is not there, or has no folders of samples.

    Raises:
        FileNotFoundError: Names the folder, and the option for another.
    """
    if not dataset_class(dataset).info.counts:
        with root_named(root):
            split_folders(Path(root).expanduser())


def check_arguments(dataset: str, arguments: Mapping[str, Any]) -> None:
    """:func:`check_keywords` of a data set of shapes, by name."""
    check_keywords(shapes_class(dataset), arguments, OWN)


def check_keywords(dataset: type, arguments: Mapping[str, Any], own: Set[str] = frozenset()) -> None:
    """Finds arguments that a data set does not have, that are settings of their own, or of a type it does not take.

    Args:
        dataset: The class.
        arguments: By name.
        own: Names that are set elsewhere.

    Raises:
        ValueError: For such an argument.
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
    """Arguments after root and split; those that ``**kwargs`` passes on are the keywords of the base."""
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
    """Whether a user's own files come with a validation split; otherwise one is taken from the training set."""
    cls = shapes_class(dataset)
    if cls.info.counts:
        return False
    with root_named(root):
        return "validation" in splits_of(cls, root)


def splits_of(dataset: type, root: str, arguments: Mapping[str, Any] | None = None) -> list[str]:
    """The splits of a user's own files, however they are sorted.

    Args:
        dataset: A class of data sets, which has the ``kind`` of its files if these have a class each, or a ``layout``
            of its own.
        root: The folder.
        arguments: Of the data set.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the folder can be understood in two ways.
    """
    place, arguments = Path(root).expanduser(), arguments or {}
    layout: Callable[[Path, Mapping[str, Any]], Layout] | None = getattr(dataset, "layout", None)
    if layout is not None:
        return layout(place, arguments).splits
    return found_splits(place, getattr(dataset, "kind", None))
