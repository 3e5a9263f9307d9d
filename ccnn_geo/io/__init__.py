"""Read a mesh or a point cloud from a file.

OFF, OBJ and the plain tables are parsed here: the files of shape benchmarks bend these formats, and a
truncated one must not pass as a smaller shape. OBJ and XYZ do not say how much they hold, so that one cut at
the end of a line cannot be told from a complete one. PLY, STL and GLB go through trimesh, PCD through open3d;
both are imported when such a file is read.
"""

from ccnn_geo.io.read import EXTENSIONS, read_shape
from ccnn_geo.io.shape import LARGEST, Shape, ShapeError

__all__ = ["EXTENSIONS", "LARGEST", "Shape", "ShapeError", "read_shape"]
