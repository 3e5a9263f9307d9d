"""Labelled meshes as files: every face keeps its part, every mesh is in one part."""

import numpy as np

from ccnn_geo.experiments.data import parts_folder
from ccnn_geo.io.shapes.part_labels import read_labelled_shape


def test_every_mesh_and_face(tmp_path, capsys):
    rng = np.random.default_rng(0)
    vertices, faces = rng.integers(3, 9, 12), rng.integers(1, 6, 12)
    offsets = [np.concatenate([[0], sizes.cumsum()]) for sizes in (vertices, faces)]
    category = np.repeat([0, 1], 6)
    arrays = {
        "vertices": rng.integers(-32767, 32768, (offsets[0][-1], 3)).astype(np.int16),
        "faces": np.concatenate([rng.integers(0, v, (f, 3)) for v, f in zip(vertices, faces, strict=True)]),
        "face_label": rng.integers(0, 2, offsets[1][-1]).astype(np.uint8),
        "vertex_offset": offsets[0],
        "face_offset": offsets[1],
        "category": category,
        "model_id": np.arange(12),
        "category_names": np.array(["Cup", "Ant"]),
        "part_names": np.array(["body;handle", "upper leg;head"]),
    }
    np.savez(tmp_path / "parts.npz", **arrays)
    parts_folder.main([str(tmp_path / "parts.npz"), str(tmp_path / "out"), "--fold", "1"])
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: 10 train, 2 validation\n"
    files = {int(path.stem): path for path in (tmp_path / "out").glob("*/*/*.off")}
    assert sorted(files) == list(range(12))
    assert [files[i].parent.parent.name for i in (1, 7)] == ["validation"] * 2
    for i, path in files.items():
        assert path.parent.name == ("Cup", "Ant")[i // 6]
        shape, parts = read_labelled_shape(path)
        rows = slice(*offsets[1][i : i + 2])
        np.testing.assert_array_equal(shape.faces, arrays["faces"][rows])
        np.testing.assert_allclose(
            shape.vertices, arrays["vertices"][slice(*offsets[0][i : i + 2])] / 32767, atol=1e-5
        )
        known = arrays["part_names"][category[i]].split(";")
        assert [parts.names[k] for k in parts.index] == [known[k] for k in arrays["face_label"][rows]]
