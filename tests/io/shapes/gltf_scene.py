"""Scenes in GLB, made field by field."""

import numpy as np

from ccnn_geo.experiments.fuzz.fuzz_seeds import CORNERS, FACES, glb
from ccnn_geo.io import read_shape

KINDS = {"i1": 5120, "u1": 5121, "<i2": 5122, "<u2": 5123, "<u4": 5125, "<f4": 5126}
SHAPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class Scene:
    """A scene of one mesh in one node; arrays become accessors."""

    def __init__(self, vertices=CORNERS, indices=FACES, kind="<f4", **primitive):
        self.data = b""
        self.header = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": [], "buffers": [{}]}
        self.header |= {"scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}]}
        self.primitive = {"attributes": {"POSITION": self.add(vertices, kind)}} | primitive
        if indices is not None:
            self.primitive["indices"] = self.add(np.ravel(indices), "<u2")
        self.header["meshes"] = [{"primitives": [self.primitive]}]

    def view(self, array, kind) -> int:
        content = np.ascontiguousarray(array, dtype=kind).tobytes()
        self.header["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(content)}
        )
        self.data += content
        return len(self.header["bufferViews"]) - 1

    def add(self, array, kind="<f4", **changes) -> int:
        array = np.asarray(array)
        columns = 1 if array.ndim == 1 else array.shape[1]
        accessor = {"componentType": KINDS[kind], "count": len(array), "type": SHAPES[columns]}
        self.header["accessors"].append(accessor | {"bufferView": self.view(array, kind)} | changes)
        return len(self.header["accessors"]) - 1

    def read(self, folder):
        self.header["buffers"][0].setdefault("byteLength", len(self.data))
        return read_content(folder, glb(self.header, self.data))


def read_content(folder, content):
    (folder / "a.glb").write_bytes(content)
    return read_shape(folder / "a.glb")
