"""Pure functions: sums over neighbours on edges, lattices, meshes and grids, and conversions of grids and points.

Layers call these; nothing here knows about modules or parameters. Compiled twins lie beside the code they replace.
"""

from typing import TYPE_CHECKING

from ccnn_geo._base.lazy import lazy_names
from ccnn_geo._base.moved import keep_old_paths

if TYPE_CHECKING:
    from ccnn_geo.functional.edge.conv import edge_conv as edge_conv
    from ccnn_geo.functional.edge.kernel_values import kernel_values as kernel_values
    from ccnn_geo.functional.grid.conv import grid_conv as grid_conv
    from ccnn_geo.functional.grid.direct import direct_conv as direct_conv
    from ccnn_geo.functional.lattice.conv import lattice_conv as lattice_conv
    from ccnn_geo.functional.lattice.offsets import detect_spacing as detect_spacing
    from ccnn_geo.functional.mesh.conv import mesh_conv as mesh_conv
    from ccnn_geo.functional.mesh.conv import mesh_error as mesh_error
    from ccnn_geo.functional.representations import grid_positions as grid_positions
    from ccnn_geo.functional.representations import grid_spacing as grid_spacing
    from ccnn_geo.functional.representations import to_grid as to_grid
    from ccnn_geo.functional.representations import to_points as to_points
    from ccnn_geo.functional.representations import voxelize as voxelize

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "functional.edge.conv": "edge_conv",
        "functional.edge.kernel_values": "kernel_values",
        "functional.grid.conv": "grid_conv",
        "functional.grid.direct": "direct_conv",
        "functional.lattice.conv": "lattice_conv",
        "functional.lattice.offsets": "detect_spacing",
        "functional.mesh.conv": "mesh_conv mesh_error",
        "functional.representations": "grid_positions grid_spacing to_grid to_points voxelize",
    },
)

keep_old_paths(__path__)
