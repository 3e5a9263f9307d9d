"""PCD against rows written by hand, an encoder of LZF, and open3d where it is installed."""

import struct

import numpy as np
import pytest

from ccnn_geo.experiments.fuzz.fuzz_readers import limited_memory, limited_time
from ccnn_geo.experiments.fuzz.fuzz_seeds import CORNERS, lzf, pcd_files
from ccnn_geo.io import ShapeError, read_shape
from ccnn_geo.io.shapes.lzf import decompress
from ccnn_geo.io.shapes.pcd import read_fields

RANDOM = np.random.default_rng(0)

OPEN3D = bytes.fromhex(
    "1f6cbf003edfd5d63d79e9a63f55f9a1bf4ecd14c07f4607bea12109bfe673723f1bea8e1fbfec0a60bebdf2233ffd22"
    "b93efe2734bf6e45293d037a9fbfe00b13e00b3b006ce00a63138adc2d00076c4c00a5ab2000fe629d00a6affa00"
)


def pcd(fields, rows, way="ascii", version="0.7", **changes) -> bytes:
    """Fields ``name, type, size, count`` and rows of numbers."""
    kind = np.dtype([(f"f{i}", f"<{t.lower()}{s}", (c,)) for i, (_, t, s, c) in enumerate(fields)])
    table = np.zeros(len(rows), kind)
    at = 0
    for i, (*_, count) in enumerate(fields):
        table[f"f{i}"] = np.array(rows)[:, at : at + count]
        at += count
    names, types, sizes, counts = (" ".join(map(str, column)) for column in zip(*fields, strict=True))
    header = {"VERSION": version, "FIELDS": names, "SIZE": sizes, "TYPE": types, "COUNT": counts}
    header |= {
        "WIDTH": len(rows),
        "HEIGHT": 1,
        "VIEWPOINT": "0 0 0 1 0 0 0",
        "POINTS": len(rows),
        "DATA": way,
    }
    header |= changes
    text = "# .PCD - Point Cloud Data file format\n"
    text += "".join(f"{key} {value}\n" for key, value in header.items() if value is not None)
    if way == "ascii":
        data = "".join(" ".join(repr(float(v)) for v in row) + "\n" for row in rows).encode()
    elif way == "binary":
        data = table.tobytes()
    else:
        block = b"".join(table[name].tobytes() for name in kind.names)
        data = struct.pack("<2I", len(lzf(block)), len(block)) + lzf(block)
    return text.encode() + data


XYZ = [(axis, "F", 4, 1) for axis in "xyz"]
ROWS = RANDOM.normal(size=(50, 3)).astype(np.float32).astype(np.float64)
WAYS = ("ascii", "binary", "binary_compressed")


@pytest.fixture
def read(tmp_path):
    def read(content: bytes):
        (tmp_path / "a.pcd").write_bytes(content)
        return read_shape(tmp_path / "a.pcd")

    return read


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", [".5", "0.6", "0.7"])
def test_positions(read, way, version):
    shape = read(pcd(XYZ, ROWS, way, version))
    assert np.array_equal(shape.vertices, ROWS) and shape.vertices.dtype == np.float64
    assert shape.normals is None and shape.faces is None


@pytest.mark.parametrize("way", WAYS)
def test_fields_of_any_type_size_count_and_order(read, way):
    fields = [
        ("normal_y", "F", 8, 1),
        ("_", "U", 1, 3),
        ("z", "I", 2, 1),
        ("normal_x", "F", 4, 1),
        ("_", "I", 8, 2),
    ]
    fields += [
        ("x", "U", 4, 1),
        ("normal_z", "I", 1, 1),
        ("fpfh", "F", 4, 33),
        ("y", "F", 8, 1),
        ("i", "U", 8, 1),
    ]
    columns = sum(count for *_, count in fields)
    rows = RANDOM.integers(-100, 100, size=(20, columns)).astype(np.float64)
    unsigned = [1, 2, 3, 8, columns - 1]
    rows[:, unsigned] = np.abs(rows[:, unsigned])
    rows[:, 0] += 0.1  # what float32 does not hold
    shape = read(pcd(fields, rows, way))
    assert np.array_equal(shape.vertices, rows[:, [8, columns - 2, 4]])
    assert np.array_equal(shape.normals, rows[:, [5, 0, 9]])


@pytest.mark.parametrize("way", WAYS)
def test_normals_need_all_three(read, way):
    rows = RANDOM.integers(0, 9, size=(4, 5)).astype(np.float64)
    fields = [*XYZ, ("normal_x", "F", 4, 1), ("normal_y", "F", 4, 1)]
    assert read(pcd(fields, rows, way)).normals is None


@pytest.mark.parametrize("way", WAYS)
def test_what_a_header_may_leave_out_or_say_otherwise(read, way):
    plain = read(pcd(XYZ, ROWS, way))
    for changes in (
        {"VERSION": None, "COUNT": None, "VIEWPOINT": None, "HEIGHT": None},
        {"POINTS": None},
        {"WIDTH": None, "HEIGHT": None},
        {"WIDTH": 10, "HEIGHT": 5},
    ):
        assert np.array_equal(read(pcd(XYZ, ROWS, way, **changes)).vertices, plain.vertices)
    old = pcd(XYZ, ROWS, way).replace(b"FIELDS", b"COLUMNS")
    assert np.array_equal(read(old).vertices, plain.vertices)
    head, data = pcd(XYZ, ROWS, way).split(b"VIEWPOINT")
    assert np.array_equal(
        read(head.replace(b"\n", b"\r\n") + b"\n#\n\nVIEWPOINT" + data).vertices, plain.vertices
    )


@pytest.mark.parametrize("way", WAYS[1:])
def test_a_page_of_zeros_behind_the_data(read, way):
    content = pcd(XYZ, ROWS, way)
    assert np.array_equal(read(content + bytes(4096)).vertices, ROWS)
    with pytest.raises(ShapeError, match="4096 bytes behind the last point, expected none"):
        read(content + bytes(4095) + b"x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "header line 'hello', expected each of COLUMNS, VERSION, FIELDS"),
        (b"# .PCD\nVERSION 0.7\n", "truncated, no line DATA, expected a PCD header"),
        (pcd(XYZ, ROWS, version="0.8"), r"version 0\.8, expected one of \.5, \.6, \.7"),
        (pcd(XYZ, ROWS, DATA="binary_squeezed"), "data 'binary_squeezed', expected one of ascii, binary"),
        (pcd(XYZ, ROWS).replace(b"SIZE", b"SIZES"), "header line 'SIZES 4 4 4'"),
        (pcd(XYZ, ROWS).replace(b"TYPE", b"SIZE"), "header line 'SIZE F F F', expected each of .* once"),
        (pcd(XYZ, ROWS, SIZE="4 4"), "3 fields with 2 sizes, 3 types and 3 counts"),
        (pcd(XYZ, ROWS, TYPE=None), "3 fields with 3 sizes, 0 types and 3 counts"),
        (pcd(XYZ, ROWS, SIZE="4 4 2"), "field z with TYPE F, SIZE 2, COUNT 1, expected F of 4 or 8 bytes"),
        (pcd(XYZ, ROWS, TYPE="F F S"), "field z with TYPE S"),
        (pcd(XYZ, ROWS, COUNT="1 1 0"), "field z with TYPE F, SIZE 4, COUNT 0"),
        (pcd(XYZ, ROWS, COUNT="1 1 -1"), "COUNT '-1', expected a whole number"),
        (pcd(XYZ, ROWS, COUNT="1 1 2"), "fields x, y, z, expected one number each of x, y, z"),
        (pcd(XYZ, ROWS, FIELDS="x y w"), "fields x, y, w without z, expected x, y, z"),
        (pcd(XYZ, ROWS, FIELDS="x y y"), "fields x, y, y without z"),
        (pcd([*XYZ, XYZ[0]], ROWS[:, [0, 1, 2, 0]]), "expected one number each"),
        (pcd(XYZ, ROWS, WIDTH=49), "WIDTH 49, HEIGHT 1 and POINTS 50, expected their product"),
        (pcd(XYZ, ROWS, WIDTH=None, POINTS=None), "neither WIDTH nor POINTS"),
        (pcd(XYZ, ROWS, POINTS="50.0"), r"POINTS '50\.0', expected a whole number"),
        (pcd(XYZ, ROWS, POINTS="9" * 400), "POINTS '99999999999999999999', expected a whole number"),
        (pcd(XYZ, ROWS, WIDTH=51, POINTS=51), "truncated, 50 lines of points, expected 51"),
        (pcd(XYZ, ROWS, WIDTH=49, POINTS=49), ": 50 lines of points, expected 49"),
        (pcd(XYZ, ROWS, WIDTH=0, POINTS=0), "50 lines of points, expected 0"),
        (pcd(XYZ, ROWS) + b"1 2 3\n", "51 lines of points, expected 50"),
        (pcd(XYZ, ROWS[:1], POINTS=2, WIDTH=2) + b"1 2\n", "points of \\[2\\] numbers, expected 3"),
        (
            pcd(XYZ, ROWS[:1], POINTS=2, WIDTH=2) + b"1 2 x\n",
            "'x' among the points, expected numbers",
        ),
        (
            pcd(XYZ, ROWS[:1], POINTS=2, WIDTH=2) + b"1 2 inf\n",
            r"NaN or Inf in 1 vertices \(first: number 1\)",
        ),
        (pcd(XYZ, np.full((1, 3), np.inf), "binary"), "NaN or Inf in 1 vertices"),
        (pcd(XYZ, ROWS, "binary")[:-1], r"truncated, \d+ bytes, expected \d+"),
        (pcd(XYZ, ROWS, "binary", WIDTH=10**12, POINTS=10**12), "truncated, .* expected 12000000000"),
        (pcd(XYZ, ROWS, "binary", COUNT="1 1 1000000000000", FIELDS="x y c"), "without z"),
        (pcd(XYZ, ROWS, "binary_compressed")[:-1], r"truncated, \d+ bytes, expected \d+"),
        (
            pcd(XYZ, ROWS, "binary_compressed", WIDTH=49, POINTS=49),
            "bytes packed from 600, expected those of 49 points",
        ),
        (
            pcd(XYZ, ROWS, "binary_compressed").partition(b"compressed\n")[0] + b"compressed\n\0\0\0\0",
            "truncated",
        ),
    ],
)
def test_files_that_contradict_themselves(read, content, message):
    with pytest.raises(ShapeError, match=rf"a\.pcd: .*{message}|a\.pcd{message}"):
        read(content)


@pytest.mark.parametrize("way", WAYS)
def test_no_part_of_a_file_passes_as_a_smaller_cloud(read, way):
    content = pcd(XYZ, ROWS[:5], way)
    for size in range(len(content)):
        try:
            part = read(content[:size])
        except ShapeError:
            continue
        # of the last number of a text digits may be missing
        assert way == "ascii" and np.array_equal(part.vertices[:-1], ROWS[:4])


def test_lies_about_compressed_blocks_cost_nothing(read):
    header = pcd(XYZ, ROWS[:1], "binary_compressed", WIDTH=10**8, POINTS=10**8).partition(b"compressed\n")
    start = header[0] + header[1]
    with limited_memory(100 * 2**20), limited_time() as clock:
        clock(20.0)
        with pytest.raises(
            ShapeError, match=r"4 bytes packed from 1200000000, expected those of 100000000 points"
        ):
            read(start + struct.pack("<2I", 4, 12 * 10**8) + b"abcd")
        # true to its ratio, but it does not hold what it says
        body = b"\0a" + b"\xe0\xff\x00" * 10 + bytes(14 * 10**6)
        with pytest.raises(ShapeError, match=r"damaged, a block of \d+ bytes, expected 1200000000"):
            read(start + struct.pack("<2I", len(body), 12 * 10**8) + body)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (b"\x04abc", "a block of 3 bytes, expected 5"),
        (b"\x00a\x20", "an incomplete reference at byte 2"),
        (b"\x00a\xe0\x01", "an incomplete reference at byte 2"),
        (b"\x00a\x20\x01", "a reference 2 bytes back, of 1"),
        (b"\x05abcdef", "a block of 6 bytes, expected 5"),
        (b"\x00a\xe0\xff\x00", "a block of 265 bytes, expected 5"),
    ],
)
def test_blocks_that_are_none(packed, message):
    with pytest.raises(ValueError, match=message):
        decompress(packed, 5)


def test_blocks_there_and_back():
    for letters in (1, 2, 5, 256):
        for size in (*range(40), 300, 9000, 20_000):
            block = RANDOM.integers(0, letters, size, dtype=np.uint8).tobytes()
            assert decompress(lzf(block), size) == block
    assert decompress(b"\x00a\xe0\xff\x00", 265) == b"a" * 265  # the longest reference, to itself


def test_a_block_that_open3d_compressed(read):
    """Five points with normals, which are the positions backwards, and colours."""
    header = pcd(
        [*XYZ, *((f"normal_{a}", "F", 4, 1) for a in "xyz"), ("rgb", "U", 4, 1)], np.zeros((5, 7)), "binary"
    )
    start = header[: -5 * 28].replace(b"DATA binary", b"DATA binary_compressed")
    shape = read(start + struct.pack("<2I", len(OPEN3D), 140) + OPEN3D)
    expected = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    assert np.array_equal(shape.vertices, expected) and np.array_equal(shape.normals, expected[:, ::-1])


@pytest.mark.parametrize("normals", [False, True])
def test_what_open3d_writes(tmp_path, normals):
    open3d = pytest.importorskip(
        "open3d", reason="needs the extra open3d and its system libraries", exc_type=ImportError
    )
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(ROWS))
    cloud.colors = open3d.utility.Vector3dVector(np.abs(ROWS) / 10)
    if normals:
        cloud.normals = open3d.utility.Vector3dVector(ROWS[::-1])
    path = tmp_path / "a.pcd"
    for options in ({"write_ascii": True}, {}, {"compressed": True}):
        assert open3d.io.write_point_cloud(str(path), cloud, **options)
        shape, oracle = read_shape(path), open3d.io.read_point_cloud(str(path))
        assert np.array_equal(shape.vertices, np.asarray(oracle.points))
        assert shape.vertices == pytest.approx(ROWS, rel=1e-9, abs=1e-9)
        assert (shape.normals is not None) == normals
        assert not normals or np.array_equal(shape.normals, np.asarray(oracle.normals))


def test_the_files_of_the_fuzz_hold_their_corners(read):
    for content in pcd_files():
        assert np.array_equal(read(content).vertices, CORNERS)


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    head = b"\xef\xbb\xbfVERSION .7\nFIELDS x y z level\nSIZE 4 4 4 4\nTYPE F F F F\nWIDTH 2\nHEIGHT 1\nDATA ascii\n"
    (tmp_path / "a.pcd").write_bytes(head + b"0 1 2 3\n4 5 6 7\n")
    assert read_shape(tmp_path / "a.pcd").vertices.tolist() == [[0, 1, 2], [4, 5, 6]]
    assert read_fields(tmp_path / "a.pcd")["level"].tolist() == [3, 7]


@pytest.mark.parametrize(("kind", "word"), [("U 1", "300"), ("U 1", "0.5"), ("U 4", "-1"), ("I 2", "nan")])
def test_numbers_that_their_type_does_not_hold(tmp_path, kind, word):
    letter, size = kind.split()
    head = f"VERSION .7\nFIELDS x y z label\nSIZE 4 4 4 {size}\nTYPE F F F {letter}\nWIDTH 1\nHEIGHT 1\nDATA ascii\n"
    (tmp_path / "a.pcd").write_text(f"{head}0 0 0 {word}\n")
    with pytest.raises(ShapeError, match=rf"a\.pcd: {word} in the field label, expected whole numbers from"):
        read_fields(tmp_path / "a.pcd")
