"""The tables of ``efficiency_points``: cases by heading."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ccnn_geo.experiments.benchmarks.point_layers import Case

SIZES = (1024, 4096, 16384, 65536, 262144)
PEERS = ("PointNetConv", "PointTransformerConv", "EdgeConv", "NNConv")
SMOOTH: dict[str, Any] = {"kernel": "siren", "omega": 0.5, "window": 0.3, "threshold": 1e-4}
"""A band-limited kernel, as meshes need: up to some 20 rad per unit, including the window's part, where 1,024 points
of the unit sphere (0.11 apart) can carry 28; and a window that ends once it has vanished."""

Groups = dict[str, list[Case]]
"""Cases to compare with one another, by heading."""


def headline(sizes: Sequence[int]) -> Groups:
    """The published size, and variants of it."""
    both = ("plain", "rendered", "compiled", "edge")
    sized: dict[str, dict[str, Any]] = {
        "C=140, H=32, published window opened until no edge is dropped": {"drawn": 0.075},
        "C=140, H=32, published window 0.075": {"window": 0.075},
        "C=16, H=8, published window opened until no edge is dropped": {
            "channels": 16,
            "hidden": 8,
            "drawn": 0.075,
        },
        "C=140, H=32, window drawn so wide that no edge is dropped": {},
    }
    groups = {}
    for name, settings in sized.items():
        for suffix, kept in (("", False), (", freed memory kept", True)):
            groups[f"B=8, N=512, k=256, {name}{suffix}"] = [
                Case(method, allocator=kept, **settings) for method in both
            ]
    one: dict[str, Any] = {"batch": 1, "points": 16384, "neighbors": 64, "channels": 64}
    groups["one cloud, N=16,384, k=64, C=64, H=32, no edge dropped"] = [Case(m, **one) for m in both]
    return groups


def lattice(sizes: Sequence[int]) -> Groups:
    """Voxels, which have few offsets."""
    cases = [Case(method, batch=16, cloud="voxels") for method in ("plain", "edge", "lattice")]
    return {"40^3 voxels, 512 of them kept, B=16, k=256, C=140, H=32, no edge dropped": cases}


def mesh(sizes: Sequence[int]) -> Groups:
    """All points of a cloud, with the error of the whole sum."""
    shared: dict[str, Any] = {"points": 1024, "channels": 110, "against": "all", **SMOOTH}
    cases = [Case("plain", **shared), Case("edge", neighbors=None, **shared)]
    cases.append(Case("mesh", neighbors=None, **shared))
    return {f"B=8, N=1,024, C=110, H=32, {_words(SMOOTH)}; error against the sum over all points": cases}


def cost(sizes: Sequence[int]) -> Groups:
    """One cloud of increasing size."""
    groups = {}
    for size in sizes:
        shared: dict[str, Any] = {"batch": 1, "points": size, "channels": 16, "hidden": 8, **SMOOTH}
        cases = [Case(method, **shared) for method in ("plain", "edge")]
        cases += [Case(method, neighbors=None, **shared) for method in ("edge", "mesh")]
        cases += [Case(method, **shared) for method in PEERS]
        groups[f"one cloud, N={size:,}, C=16, H=8, {_words(SMOOTH)}"] = cases
    return groups


def peers(sizes: Sequence[int]) -> Groups:
    """PyG's point layers at equal channels and on the same graph."""
    return {
        f"B=8, N=512, k={k}, C=32, H=32, no edge dropped": [
            Case(method, neighbors=k, channels=32) for method in ("plain", "edge", *PEERS)
        ]
        for k in (32, 256)
    }


def lidar(sizes: Sequence[int]) -> Groups:
    """A whole network, an output per point, on a whole Velodyne frame."""
    shared: dict[str, Any] = {"batch": 1, "points": 124668, "channels": 4, "hidden": 8, "cloud": "kitti"}
    local: dict[str, Any] = {"neighbors": 32, "omega": 0.5, "window": 0.5, "radius": 2.0}
    wide: dict[str, Any] = {"neighbors": None, **SMOOTH, "radius": 5.0}
    return {
        "CCNN-4,16 on a LiDAR frame; edge: sigma 1 m, mesh: sigma 1.5 m": [
            Case("ccnn_edge", **shared, **local),
            Case("ccnn_mesh", **shared, **wide),
        ]
    }


TABLES: dict[str, Callable[[Sequence[int]], Groups]] = {
    "headline": headline,
    "lattice": lattice,
    "mesh": mesh,
    "cost": cost,
    "peers": peers,
    "lidar": lidar,
}


def toy(case: Case) -> Case:
    """A case small enough to see whether it runs."""
    return dataclasses.replace(
        case,
        batch=min(case.batch, 2),
        points=min(case.points, 64),
        neighbors=None if case.neighbors is None else min(case.neighbors, 8),
        channels=4,
        hidden=4,
    )


def _words(settings: Mapping[str, Any]) -> str:
    return "{kernel}, omega_0={omega:g}, sigma={window:g} down to {threshold:g}".format(**settings)
