"""From the content of a file to normalised points with normals."""

import torch
from torch import Generator, Tensor

from ccnn_geo._base.pyg import BaseTransform, Data
from ccnn_geo.transforms.estimate_normals import EstimateNormals
from ccnn_geo.transforms.normalize_box import box_placement, put_in_box
from ccnn_geo.transforms.normalize_sphere import Placement, sphere_placement
from ccnn_geo.transforms.random_subset import RandomSubset
from ccnn_geo.transforms.sample_surface import SampleSurface

FRAMES, CELLS = ("sphere", "box"), ("surface", "occupied")


class SampleShape(BaseTransform):
    """Turns a mesh or a cloud into points with normals on the unit sphere, in the same way for every source.

    A mesh is sampled by :class:`SampleSurface`. A cloud is reduced to a :class:`RandomSubset` (all points in
    random order if it has no more than ``num``); missing or unusable normals come from
    :class:`EstimateNormals` on the whole cloud. :class:`NormalizeSphere` follows.

    A stored normal is unusable if it is zero or not finite. Some benchmark files hold rows such as
    (1, 1, 1) as normals of vanished triangles; these get unit length like all others.

    Args:
        num: number of points; clouds may give fewer.
        k: neighbours for the estimated normals.
        generator: source of randomness (default: torch's global one).
        frame: ``"sphere"`` as above, or ``"box"`` for :class:`~ccnn_geo.transforms.NormalizeBox` with the bounding box
            of the whole shape.
        cells: cells of an occupancy grid to use: those at the ``"surface"``, or all ``"occupied"`` ones.

    Shapes:
        ``pos [V, 3]``, ``face [3, F]`` or ``normal [V, 3]`` or neither -> ``pos [num, 3]`` float32 with
        radius, or coordinates, at most 1, ``normal [num, 3]`` float32 of unit length.

    Raises:
        ValueError: as the transforms named above.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = SampleShape(50)(Data(pos=torch.eye(3), face=torch.tensor([[0], [1], [2]])))
        >>> data.pos.shape, data.normal.shape
        (torch.Size([50, 3]), torch.Size([50, 3]))
    """

    def __init__(
        self,
        num: int = 2048,
        k: int = 16,
        generator: Generator | None = None,
        frame: str = "sphere",
        cells: str = "surface",
    ) -> None:
        for name, value, known in (("frame", frame, FRAMES), ("cells", cells, CELLS)):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        self.surface = SampleSurface(num, generator)
        self.subset = RandomSubset(num, generator=generator)
        self.estimate = EstimateNormals(k)
        self.num, self.frame, self.cells = num, frame, cells

    def forward(self, data: Data) -> Data:
        return self.placed(data)[0]

    def placed(self, data: Data) -> tuple[Data, Placement]:
        """Returns the points, and the placement that maps other positions of the file to the sample."""
        solid = data.get("solid")
        if solid is not None:
            data.solid = None
            data.pos = solid if self.cells == "occupied" else data.pos
        whole = data.pos
        if data.get("face") is not None and data.face.numel() > 0:
            whole = whole[data.face.unique()]
            data = self.surface(data)
        else:
            data.face = None
            data.normal = self._normals(data)
            data = self.subset(data)
        data.normal = data.normal.float()
        if self.frame == "box":
            place = box_placement(data, whole)
            return put_in_box(data, place), place
        place = sphere_placement(data.pos)
        data.pos = place(data.pos)
        return data, place

    def _normals(self, data: Data) -> Tensor:
        normal = data.get("normal")
        if normal is None:
            return self.estimate(data).normal
        length = normal.double().norm(dim=1, keepdim=True)
        usable = torch.isfinite(length) & (length > 1e-8)
        unit = normal.double() / torch.where(usable, length, 1.0)
        if not usable.all():
            unit = torch.where(usable, unit, self.estimate(data).normal.double())
        return unit.to(data.pos.dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num}, k={self.estimate.k})"
