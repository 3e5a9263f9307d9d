"""The fuzz of all readers, in small; that it notices what it looks for; files cut anywhere; numbers there and back."""

import resource
import sys
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccnn_geo.experiments.fuzz import fuzz_readers, fuzz_seeds
from ccnn_geo.experiments.fuzz.fuzz_readers import FORMATS, Format, fuzz, report
from ccnn_geo.io import EXTENSIONS, ShapeError, read_shape
from ccnn_geo.io.shapes.shape import check_shape

CHECKED = {"npz", "mnist gz", "tar gz", "tar bz2", "tar xz", "zip", "tokens", "pathfinder"}
CHECKED |= {"weights", "pickle", "checkpoint", "repacked"}
"""Their checksums, or what must fit together in them, find nearly all damage."""


def test_damaged_files_are_read_or_refused():
    tallies = fuzz(2880, seed=2)
    assert all(tally.broken == [] for tally in tallies.values()), report(tallies)
    assert sum(tally.counts.total() for tally in tallies.values()) == 2880
    assert all(tally.counts["refused"] for tally in tallies.values()), report(tallies)
    assert all(tallies[name].counts["read"] for name in set(tallies) - CHECKED), report(tallies)


def test_a_damaged_file_follows_from_its_number():
    assert fuzz_readers.damaged("off", 7, 0) == fuzz_readers.damaged("off", 7, 0)
    assert len({fuzz_readers.damaged("off", number, 0) for number in range(40)}) > 30


def swallow(path):
    try:
        while True:
            pass
    except BaseException as error:
        raise ValueError("damaged") from error


def grow(path):
    try:
        np.ones(2**33)
    except Exception as error:
        raise ValueError("damaged") from error


@pytest.mark.parametrize(
    ("read", "outcome"),
    [
        (lambda path: {}["no"], "raised"),
        (lambda path: warnings.warn("odd", RuntimeWarning, stacklevel=1), "raised"),
        (lambda path: next(iter(int, 1)), "unsound"),
        (swallow, "hung"),
        (grow, "memory"),
        (lambda path: sys.exit(), "raised"),
    ],
)
def test_readers_that_break_their_word_are_noticed(monkeypatch, tmp_path, capsys, read, outcome):
    first = iter([True])
    bad = Format(
        ".off", fuzz_seeds.off_files, lambda p: next(first, None) or read(p), lambda found: found != 0
    )
    monkeypatch.setitem(FORMATS, "bad", bad)
    monkeypatch.setattr(fuzz_readers, "SECONDS", 0.1 if outcome == "hung" else 30.0)
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert fuzz_readers.main(["--files", "1", "--formats", "bad", "--keep", str(tmp_path / "kept")]) == 1
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert f"bad 0: {outcome}: " in capsys.readouterr().out
    assert (tmp_path / "kept" / "bad_0.off").read_bytes() == fuzz_readers.damaged("bad", 0, 0)


def test_the_command_ends_with_0_if_all_keep_their_word(capsys):
    assert fuzz_readers.main(["--files", "20", "--formats", "stl binary", "npy"]) == 0
    table = {line[:11].strip(): line[11:].split() for line in capsys.readouterr().out.splitlines()}
    assert table.pop("format") == [*fuzz_readers.OUTCOMES, "ms/file"]
    counts = {name: np.array(row[:-1], dtype=int) for name, row in table.items()}
    assert list(counts) == ["stl binary", "npy", "all"] and counts["all"].sum() == 20
    assert np.array_equal(counts["stl binary"] + counts["npy"], counts["all"])


@pytest.mark.parametrize(
    "name", ["off", "ply text", "ply binary", "stl text", "stl binary", "glb", "npy", "npz"]
)
def test_no_part_of_a_file_passes_as_a_smaller_shape(tmp_path, name):
    path = tmp_path / f"cut{FORMATS[name].suffix}"
    for content in FORMATS[name].files():
        path.write_bytes(content)
        whole = read_shape(path)
        # between two solids a text STL is a complete file
        first = content.rfind(b"\nsolid") + 2 if name == "stl text" else 0
        for size in range(first, len(content)):
            path.write_bytes(content[:size])
            try:
                part = read_shape(path)
            except ShapeError as error:
                assert str(path) in str(error)
            else:  # only what says nothing may be missing: a line end, a name, a colour
                assert np.array_equal(part.vertices, whole.vertices)
                assert np.array_equal(part.faces, whole.faces)


@st.composite
def meshes(draw, width=64):
    number = st.floats(-1e6, 1e6, width=width)
    vertices = draw(st.lists(st.tuples(number, number, number), min_size=3, max_size=12))
    corner = st.integers(0, len(vertices) - 1)
    return np.array(vertices), draw(
        st.lists(st.lists(corner, min_size=3, max_size=6), min_size=1, max_size=8)
    )


def fan(faces):
    return [[f[0], f[i], f[i + 1]] for f in faces for i in range(1, len(f) - 1)]


def words(values):
    return " ".join(map(repr, values))


def as_off(vertices, faces):
    rows = [*map(words, vertices.tolist()), *(words([len(f), *f]) for f in faces)]
    return f"OFF\n{len(vertices)} {len(faces)} 0\n" + "\n".join(rows)


def as_obj(vertices, faces):
    rows = [f"v {words(v)}" for v in vertices.tolist()]
    return "\n".join([*rows, *(f"f {words([i - len(vertices) for i in f])}" for f in faces)])


def as_ply(vertices, faces, order="ascii"):
    head = f"ply\nformat {order} 1.0\nelement vertex {len(vertices)}\nproperty double x\nproperty double y\n"
    head += (
        f"property double z\nelement face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    if order == "ascii":
        return head + "\n".join([*map(words, vertices.tolist()), *(words([len(f), *f]) for f in faces)])
    sign = "<" if "little" in order else ">"
    polygons = b"".join(bytes([len(f)]) + np.array(f, f"{sign}i4").tobytes() for f in faces)
    return head.encode() + vertices.astype(f"{sign}f8").tobytes() + polygons


WRITERS = {
    "a.off": as_off,
    "a.obj": as_obj,
    "a.ply": as_ply,
    "b.ply": lambda v, f: as_ply(v, f, "binary_little_endian"),
    "c.ply": lambda v, f: as_ply(v, f, "binary_big_endian"),
}
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@QUIET
@given(mesh=meshes())
def test_polygons_there_and_back(tmp_path, mesh):
    vertices, faces = mesh
    for name, writer in WRITERS.items():
        shape = read_shape(put(tmp_path / name, writer(vertices, faces)))
        assert np.array_equal(shape.vertices, vertices) and shape.faces.tolist() == fan(faces), name


@QUIET
@given(mesh=meshes(width=32))
def test_triangles_there_and_back(tmp_path, mesh):
    vertices, faces = mesh
    triangles = vertices[fan(faces)]
    records = b"".join(bytes(12) + t.astype("<f4").tobytes() + b"ab" for t in triangles)
    facet = "facet normal 0 0 0\nouter loop\n{}endloop\nendfacet\n"
    text = "".join(facet.format("".join(f"  VERTEX {words(v)}\n" for v in t)) for t in triangles.tolist())
    for content in (
        b"solid but binary".ljust(80) + len(triangles).to_bytes(4, "little") + records,
        f"solid vertex normal\n{text}endsolid\n",
    ):
        shape = read_shape(put(tmp_path / "a.stl", content))
        assert np.array_equal(shape.vertices[shape.faces], triangles)
    indices = np.array(fan(faces), dtype="<u4")
    header = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": indices.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 12 * len(vertices)},
            {"buffer": 0, "byteOffset": 12 * len(vertices), "byteLength": indices.nbytes},
        ],
        "buffers": [{"byteLength": 12 * len(vertices) + indices.nbytes}],
    }
    data = vertices.astype("<f4").tobytes() + indices.tobytes()
    shape = read_shape(put(tmp_path / "a.glb", fuzz_seeds.glb(header, data)))
    assert np.array_equal(shape.vertices, vertices) and np.array_equal(shape.faces, indices)


@QUIET
@given(mesh=meshes(), normals=st.booleans(), fortran=st.booleans())
def test_clouds_there_and_back(tmp_path, mesh, normals, fortran):
    points = mesh[0]
    unit = points[::-1] - 1e6  # of length one, whatever the points are, and no colours
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    table = np.column_stack([points, unit]) if normals else points
    table = np.asfortranarray(table) if fortran else table
    np.save(tmp_path / "a.npy", table)
    np.savez_compressed(tmp_path / "a.npz", table)
    np.savez(tmp_path / "b.npz", **{"pos": points} | ({"normal": unit} if normals else {}))
    put(tmp_path / "a.xyz", "\n".join(map(words, table.tolist())))
    for name in ("a.npy", "a.npz", "b.npz", "a.xyz"):
        shape = read_shape(tmp_path / name)
        assert np.array_equal(shape.vertices, points) and shape.faces is None, name
        assert np.array_equal(shape.normals, unit) if normals else shape.normals is None, name


@QUIET
@given(
    content=st.one_of(st.text(), st.binary(), st.text("0123456789 \n.-eEfvOnpl/#")),
    suffix=st.sampled_from(EXTENSIONS),
)
def test_garbage_is_refused_or_sound(tmp_path, content, suffix):
    content = content.encode(errors="ignore") if isinstance(content, str) else content
    for start in (b"", b"OFF\n", b"v 0 0 0\n", b"ply\nformat ascii 1.0\n", b"solid\n", b"\x93NUMPY\x01\x00"):
        path = put(tmp_path / f"a{suffix}", start + content)
        try:
            shape = read_shape(path)
        except ShapeError as error:
            assert str(path) in str(error)
        else:
            check_shape(path, shape)
