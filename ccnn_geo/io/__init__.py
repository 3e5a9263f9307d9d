"""Reads meshes, point clouds, images, recordings and tables from files.

All formats are parsed here: the files of shape benchmarks bend the formats, and a truncated file must not pass as a
smaller shape. OBJ and XYZ do not state how much they hold, so a file cut at the end of a line looks complete; so does a
text STL cut between two solids. Use :func:`as_shape` for meshes, clouds and scenes of trimesh or open3d in memory.

For any faulty file, :func:`read_shape` raises :class:`ShapeError`, a ``ValueError`` that names the file, what was
found and what was expected. It never allocates memory for sizes that a header merely claims. The readers of
:mod:`ccnn_geo.datasets` for images, recordings, tables and scans raise ``ValueError`` in the same way, and the
system's ``OSError`` for a file that cannot be opened. ``python -m ccnn_geo.experiments.fuzz.fuzz_readers`` tests all
of them for this.
"""

from typing import TYPE_CHECKING

from ccnn_geo._base.lazy import lazy_names
from ccnn_geo._base.moved import keep_old_paths

if TYPE_CHECKING:
    from ccnn_geo.io.csv_table import Table as Table
    from ccnn_geo.io.csv_table import read_table as read_table
    from ccnn_geo.io.image import read_image as read_image
    from ccnn_geo.io.las import LasPoints as LasPoints
    from ccnn_geo.io.las import read_las as read_las
    from ccnn_geo.io.recording import read_recording as read_recording
    from ccnn_geo.io.scans.frames import Frame as Frame
    from ccnn_geo.io.scans.frames import read_frame as read_frame
    from ccnn_geo.io.scans.write import write_answer as write_answer
    from ccnn_geo.io.shapes.missing import MissingPoints as MissingPoints
    from ccnn_geo.io.shapes.objects import as_shape as as_shape
    from ccnn_geo.io.shapes.read import EXTENSIONS as EXTENSIONS
    from ccnn_geo.io.shapes.read import read_shape as read_shape
    from ccnn_geo.io.shapes.shape import LARGEST as LARGEST
    from ccnn_geo.io.shapes.shape import Shape as Shape
    from ccnn_geo.io.shapes.shape import ShapeError as ShapeError
    from ccnn_geo.io.wav import read_wav as read_wav

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "io.csv_table": "Table read_table",
        "io.image": "read_image",
        "io.las": "LasPoints read_las",
        "io.recording": "read_recording",
        "io.scans.frames": "Frame read_frame",
        "io.scans.write": "write_answer",
        "io.shapes.missing": "MissingPoints",
        "io.shapes.objects": "as_shape",
        "io.shapes.read": "EXTENSIONS read_shape",
        "io.shapes.shape": "LARGEST Shape ShapeError",
        "io.wav": "read_wav",
    },
)

keep_old_paths(__path__)
