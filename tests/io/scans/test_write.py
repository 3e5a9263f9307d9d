"""An answer to a scan has all that the scan has, bit for bit, and two columns more."""

import laspy
import numpy as np
import pytest

from ccnn_geo.io.scans.frames import read_columns, read_frame
from ccnn_geo.io.scans.write import answer_file, check_answer, free_names, write_answer
from ccnn_geo.io.shapes.ply_elements import read_elements

RNG = np.random.default_rng(0)
NUM = 300
LABEL = RNG.integers(0, 9, NUM).astype(np.int32)
PROBABILITY = RNG.uniform(0.3, 1, NUM).astype(np.float32)


def write_las(path, kind=6, version="1.4", num=NUM):
    scan = laspy.create(point_format=kind, file_version=version)
    scan.header.scales, scan.header.offsets = [0.001] * 3, [483_000, 5_200_000, 0]
    scan.header.vlrs.append(laspy.VLR("someone", 7, "a record", b"kept"))
    scan.add_extra_dim(laspy.ExtraBytesParams("height", "f8"))
    for name in scan.point_format.dimension_names:
        bits = scan.point_format.dimension_by_name(name).num_bits
        raw = RNG.integers(0, 2 ** min(bits, 31), num)
        scan[name] = raw / 7 if name in ("height", "gps_time") else raw
    scan.write(path)


@pytest.mark.parametrize(
    "names", [("a.las", "b.las"), ("a.las", "b.laz"), ("a.laz", "b.laz"), ("a.laz", "b.las")]
)
@pytest.mark.parametrize(("kind", "version"), [(1, "1.2"), (3, "1.2"), (6, "1.4"), (8, "1.4")])
def test_las_keeps_every_dimension(tmp_path, names, kind, version):
    path, out = (tmp_path / name for name in names)
    write_las(path, kind, version)
    write_answer(path, out, LABEL, PROBABILITY)
    before, after = laspy.read(path), laspy.read(out)
    for name in before.point_format.dimension_names:
        if name != "classification":
            assert np.array_equal(before[name], after[name]), name
    assert np.array_equal(after.classification, LABEL) and np.array_equal(after["predicted"], LABEL)
    assert np.array_equal(after["given_classification"], before.classification)
    assert np.array_equal(after["probability"], PROBABILITY)
    assert after.header.are_points_compressed == (out.suffix == ".laz")
    assert (
        after.header.version == before.header.version
        and after.header.creation_date == before.header.creation_date
    )
    assert np.array_equal(after.header.mins, before.header.mins)
    kept = [record for record in after.vlrs if record.user_id == "someone"]
    assert [record.record_data for record in kept] == [b"kept"]
    again = read_frame(out)  # by our own reader
    assert np.array_equal(again.xyz, read_frame(path).xyz) and np.array_equal(again.labels, LABEL)


def test_codes_that_las_does_not_take_leave_its_classification(tmp_path):
    write_las(tmp_path / "a.las", 1, "1.2")
    write_answer(tmp_path / "a.las", tmp_path / "b.las", LABEL + 30, PROBABILITY)
    before, after = laspy.read(tmp_path / "a.las"), laspy.read(tmp_path / "b.las")
    assert np.array_equal(before.classification, after.classification)
    assert np.array_equal(after["predicted"], LABEL + 30)
    assert "given_classification" not in after.point_format.dimension_names
    write_answer(tmp_path / "b.las", tmp_path / "c.las", LABEL - 1, PROBABILITY)  # an answer beside an answer
    both = laspy.read(tmp_path / "c.las")
    assert np.array_equal(both["predicted"], LABEL + 30) and np.array_equal(both["predicted_2"], LABEL - 1)


PLY = [
    ("x", "f8", "double"),
    ("y", "f4", "float"),
    ("z", "f4", "float"),
    ("red", "u1", "uchar"),
    ("k", "i2", "short"),
]


def ply_bytes(way, order, faces=True, end="\n"):
    rows = np.zeros(NUM, [(name, f"{order or '<'}{kind}") for name, kind, _ in PLY])
    for name, kind, _ in PLY:
        rows[name] = RNG.normal(size=NUM) * 100 if kind[0] == "f" else RNG.integers(0, 100, NUM)
    lines = ["ply", f"format {way} 1.0", "comment kept", f"element vertex {NUM}"]
    lines += [f"property {word} {name}" for name, _, word in PLY]
    lines += ["element face 2", "property list uchar int vertex_indices"] * faces + ["end_header", ""]
    triangles = np.zeros(2, [("n", "u1"), ("v", f"{order or '<'}i4", 3)])
    triangles["n"], triangles["v"] = 3, [[0, 1, 2], [2, 3, 4]]
    if order:
        return end.join(lines).encode() + rows.tobytes() + triangles.tobytes() * faces
    text = [" ".join(str(value) for value in row.tolist()) for row in rows]
    text += ["3 0 1 2", "3 2 3 4"] * faces
    return end.join([*lines[:-1], *text, ""]).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("way", "order"), [("ascii", ""), ("binary_little_endian", "<"), ("binary_big_endian", ">")]
)
def test_ply_keeps_every_byte(tmp_path, way, order, end):
    path, out = tmp_path / "a.ply", tmp_path / "b.ply"
    path.write_bytes(ply_bytes(way, order, end=end))
    write_answer(path, out, LABEL, PROBABILITY)
    before, after = read_elements(path), read_elements(out)
    for name, _, _ in PLY:
        assert np.array_equal(before["vertex"][name], after["vertex"][name])
        assert before["vertex"][name].dtype == after["vertex"][name].dtype
    assert np.array_equal(after["vertex"]["predicted"], LABEL)
    assert np.allclose(after["vertex"]["probability"], PROBABILITY, atol=1e-6)
    assert np.array_equal(before["face"]["vertex_indices"].values, after["face"]["vertex_indices"].values)
    assert f"comment kept{end}".encode() in out.read_bytes()
    if order != ">" and end == "\n":
        theirs = pytest.importorskip("open3d").io.read_point_cloud(str(out))
        assert len(theirs.points) == NUM


def test_ply_whose_vertices_are_not_first(tmp_path):
    head = b"ply\nformat ascii 1.0\nelement camera 2\nproperty float f\nelement vertex 3\n"
    head += b"property float x\nproperty float y\nproperty float z\nend_header\n"
    (tmp_path / "a.ply").write_bytes(head + b"1\n2\n0 0 0\n\n1 0 0\n0 1 0\n")
    write_answer(tmp_path / "a.ply", tmp_path / "b.ply", LABEL[:3], PROBABILITY[:3])
    found = read_elements(tmp_path / "b.ply")
    assert found["camera"]["f"].tolist() == [1, 2] and found["vertex"]["x"].tolist() == [0, 1, 0]
    assert found["vertex"]["predicted"].tolist() == LABEL[:3].tolist()


@pytest.mark.parametrize("way", ["ascii", "binary", "binary_compressed"])
def test_pcd_keeps_every_field(tmp_path, way):
    open3d = pytest.importorskip("open3d", reason="open3d writes the files")
    cloud = open3d.t.geometry.PointCloud(RNG.normal(size=(NUM, 3)).astype(np.float32))
    cloud.point["intensity"] = RNG.uniform(size=(NUM, 1)).astype(np.float32)
    cloud.point["label"] = RNG.integers(0, 5, (NUM, 1)).astype(np.int32)
    path, out = tmp_path / "a.pcd", tmp_path / "b.pcd"
    options = {"write_ascii": way == "ascii", "compressed": way == "binary_compressed"}
    open3d.t.io.write_point_cloud(str(path), cloud, **options)
    assert f"DATA {way}\n".encode() in path.read_bytes()
    write_answer(path, out, LABEL, PROBABILITY)
    before, after = read_columns(path), read_columns(out)
    assert all(np.array_equal(before[name], after[name]) for name in before) and len(after) == len(before) + 2
    assert np.array_equal(after["predicted"], LABEL)
    assert np.allclose(after["probability"], PROBABILITY, atol=1e-6)
    theirs = open3d.t.io.read_point_cloud(str(out))
    assert np.array_equal(theirs.point["predicted"].numpy()[:, 0], LABEL)


def test_bin_becomes_a_ply_or_named_rows(tmp_path):
    rows = RNG.uniform(0, 40, (NUM, 5)).astype("<f4")
    rows.tofile(tmp_path / "a.bin")
    columns = ["x", "y", "z", "_", "reflectance"]
    for name in ("b.ply", "b.npy"):
        write_answer(tmp_path / "a.bin", tmp_path / name, LABEL, PROBABILITY, columns)
    vertex, table = read_elements(tmp_path / "b.ply")["vertex"], np.load(tmp_path / "b.npy")
    names = ["x", "y", "z", "unused_3", "reflectance", "predicted", "probability"]
    assert list(vertex) == list(table.dtype.names) == names
    for found in (vertex, table):
        assert np.array_equal(np.column_stack([found[name] for name in names[:5]]), rows)
        assert np.array_equal(found["predicted"], LABEL) and np.array_equal(found["probability"], PROBABILITY)


def test_names_and_formats(tmp_path):
    assert free_names(["predicted", "predicted_2"]) == ["predicted_3", "probability"]
    assert answer_file(tmp_path / "A.LAZ") == "A_labelled.laz" and answer_file(tmp_path / "a.bin").endswith(
        ".ply"
    )
    with pytest.raises(ValueError, match=r"a\.xyz: unknown extension '\.xyz', expected a scan: \.las"):
        answer_file(tmp_path / "a.xyz")
    (tmp_path / "a.ply").write_bytes(ply_bytes("ascii", ""))
    with pytest.raises(ValueError, match=r"a\.ply: the scan itself, expected another file"):
        check_answer(tmp_path / "a.ply", tmp_path / "a.ply")


@pytest.mark.parametrize("name", ["a.ply", "a.las", "a.bin"])
def test_an_answer_of_other_points_is_refused(tmp_path, name):
    path, out = tmp_path / name, tmp_path / ("b.ply" if name == "a.bin" else f"b{name[1:]}")
    if name == "a.las":
        write_las(path)
    else:
        path.write_bytes(ply_bytes("ascii", "") if name == "a.ply" else bytes(16 * NUM))
    with pytest.raises(ValueError, match=rf"{name}: 300 \w+, expected 7, one per label"):
        write_answer(path, out, LABEL[:7], PROBABILITY[:7])
    assert [p.name for p in tmp_path.iterdir()] == [name]
