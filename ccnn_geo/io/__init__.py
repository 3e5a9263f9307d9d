"""Read a mesh or a point cloud from a file.

All formats are parsed here: the files of shape benchmarks bend them, and a truncated one must not pass as a smaller
shape. OBJ and XYZ do not say how much they hold, so that one cut at the end of a line cannot be told from a complete
one, nor a text STL cut between two of its solids. Meshes, clouds and scenes of trimesh or open3d that are in memory
already become a :class:`Shape` by :func:`as_shape`.

One error: whatever is wrong with a file, :func:`read_shape` raises :class:`ShapeError`, a ``ValueError`` that
names the file, what was found and what was expected, without allocating what a header merely claims. The
readers of :mod:`ccnn_geo.datasets` for images, recordings, tables
and scans raise ``ValueError`` in the same way, and the ``OSError`` of the system for a file that cannot be
opened. ``python -m ccnn_geo.experiments.fuzz.fuzz_readers`` holds all of them to that.
"""

from ccnn_geo._base.moved import keep_old_paths
from ccnn_geo.io.shapes.missing import MissingPoints
from ccnn_geo.io.shapes.objects import as_shape
from ccnn_geo.io.shapes.read import EXTENSIONS, read_shape
from ccnn_geo.io.shapes.shape import LARGEST, Shape, ShapeError

__all__ = ["EXTENSIONS", "LARGEST", "MissingPoints", "Shape", "ShapeError", "as_shape", "read_shape"]

keep_old_paths(__path__)
