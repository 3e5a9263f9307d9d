"""LAZ files written by laspy: the points of the LAS file beside them; and files that lie about what they hold."""

import io
import struct
import sys

import numpy as np
import pytest

from ccnn_geo.io.las import read_las
from ccnn_geo.io.laz import LARGEST_RATIO
from ccnn_geo.io.scans.frames import read_frame

laspy = pytest.importorskip("laspy", reason="LAS is read by laspy: pip install 'ccnn_geo[data]'")
lazrs = pytest.importorskip("lazrs", reason="LAZ is read by lazrs: pip install 'ccnn_geo[data]'")

RNG = np.random.default_rng(0)
WAYS = {"one thread": laspy.LazBackend.Lazrs, "parallel": laspy.LazBackend.LazrsParallel}
FIELDS = ("xyz", "intensity", "return_number", "num_returns", "classification", "rgb", "time")


def scan(kind, num, extra=0, alike=False):
    version = "1.4" if kind >= 6 else "1.3"
    header = laspy.LasHeader(point_format=kind, version=version)
    header.scales, header.offsets = (0.01, 0.001, 1e-4), (5e5, -4e6, 7.5)
    if extra:
        header.add_extra_dim(laspy.ExtraBytesParams("own", f"{extra}u1"))
    form = header.point_format
    content = bytes(num * form.size) if alike else RNG.bytes(num * form.size)
    points = laspy.ScaleAwarePointRecord(
        np.frombuffer(content, form.dtype()).copy(), form, header.scales, header.offsets
    )
    if "gps_time" in form.dimension_names:
        points["gps_time"] = np.zeros(num) if alike else RNG.normal(size=num)
    return laspy.LasData(header, points)


def packed(las, way="one thread"):
    file = io.BytesIO()
    las.write(file, do_compress=True, laz_backend=WAYS[way])
    return bytearray(file.getvalue())


def put(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", range(11))
@pytest.mark.parametrize(("extra", "way"), [(0, "one thread"), (3, "parallel")])
def test_compressed_points_are_those_of_the_plain_file(tmp_path, kind, extra, way):
    las = scan(kind, 60, extra)
    las.write(tmp_path / "a.las")
    plain, found = read_las(tmp_path / "a.las"), read_las(put(tmp_path / "a.laz", packed(las, way)))
    assert np.array_equal(plain.xyz, las.xyz) and plain.xyz.dtype == found.xyz.dtype == np.float64
    for name in FIELDS:
        expected, got = getattr(plain, name), getattr(found, name)
        assert (expected is None) == (got is None)
        assert expected is None or (np.array_equal(expected, got) and expected.dtype == got.dtype), name


@pytest.mark.parametrize("kind", [3, 7])
def test_more_points_than_a_chunk_has(tmp_path, kind):
    las = scan(kind, 120_000, alike=True)
    las.intensity = np.arange(120_000) // 7
    found = read_las(put(tmp_path / "a.laz", packed(las)))
    assert np.array_equal(found.intensity, np.arange(120_000) // 7)
    assert np.array_equal(found.xyz, np.broadcast_to([5e5, -4e6, 7.5], (120_000, 3)))


@pytest.mark.parametrize("kind", [3, 7])
def test_chunks_of_different_sizes(tmp_path, kind):
    las = scan(kind, 100)
    whole = packed(las)
    start = struct.unpack_from("<I", whole, 96)[0]
    record = lazrs.LazVlr.new_for_compression(kind, 0, True)
    file = io.BytesIO()
    head = whole[:start]
    place = head.index(b"laszip encoded") - 2 + 54
    head[place : place + len(record.record_data())] = record.record_data()
    file.write(head)
    writer = lazrs.LasZipCompressor(file, record)
    raw = las.points.array.tobytes()
    size = las.header.point_format.size
    writer.compress_chunks([raw[: 30 * size], raw[30 * size : 35 * size], raw[35 * size :]])
    writer.done()
    found = read_las(put(tmp_path / "a.laz", file.getvalue()))
    assert np.array_equal(found.xyz, las.xyz)
    assert np.array_equal(found.intensity, las.intensity)


def test_no_points_at_all(tmp_path):
    assert read_las(put(tmp_path / "a.laz", packed(scan(3, 0)))).xyz.shape == (0, 3)


def test_a_scan_with_labels_and_colours(tmp_path):
    las = scan(7, 50)
    las.write(tmp_path / "a.las")
    plain, found = read_frame(tmp_path / "a.las"), read_frame(put(tmp_path / "a.laz", packed(las)))
    assert np.array_equal(plain.labels, found.labels) and set(plain.fields) == set(found.fields)
    assert np.array_equal(plain.fields["red"], found.fields["red"])


def lying(place, form, value, kind=7):
    """A file with another number at a place: of the header, behind the start of the points, or in the table."""
    content = packed(scan(kind, 60))
    start = struct.unpack_from("<I", content, 96)[0]
    table = struct.unpack_from("<q", content, start)[0]
    record = content.index(b"laszip encoded") - 2 + 54
    base, offset = place
    at = {"header": 0, "points": start, "table": table, "record": record}[base] + offset
    struct.pack_into(form, content, at, value)
    return content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: lying(("table", 4), "<I", 2**32 - 1), f"a table of {2**32 - 1} chunks"),
        (lambda: lying(("table", 4), "<I", 0), "a table of 0 chunks"),
        (lambda: lying(("points", 0), "<q", 2**60), "a table of 0 chunks at byte"),
        (lambda: lying(("points", 8 + 36 + 4), "<I", 2**32 - 1), "parts of 4294\\d+ bytes in a chunk of"),
        (lambda: lying(("header", 247), "<Q", 2**60), "fewer than one per 10000"),
        (lambda: lying(("header", 247), "<Q", 50_001), "chunks of .*50000"),
        (lambda: lying(("record", 0), "<H", 2), "unknown compression 2"),
        (lambda: lying(("record", 12), "<I", 0), r"chunks of"),
        (lambda: lying(("record", 32), "<H", 0), r"the fields \[\]"),
        (lambda: lying(("record", -54), "<H", 0)[:-9], "a table of|chunks of|damaged"),
        (lambda: packed(scan(2, 60))[:-40], "a table of 0 chunks"),
        (lambda: lying(("record", -52), "<B", 0), "no record 'laszip encoded'"),
    ],
)
def test_claims_that_do_not_fit_are_refused_before_memory_is_taken(tmp_path, content, words):
    path = put(tmp_path / "a.laz", content())
    with pytest.raises(ValueError, match=f"a.laz: .*expected .* compressed points.*{words}"):
        read_las(path)


def test_points_that_are_all_alike_are_no_lie(tmp_path):
    content = packed(scan(7, 100_000, alike=True))
    assert LARGEST_RATIO // 10 * len(content) < 36 * 100_000
    assert len(read_las(put(tmp_path / "a.laz", content)).xyz) == 100_000


class PanicException(BaseException):
    """As Rust's, of which Python knows the name alone."""


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (PanicException("index out of bounds"), ValueError),
        (OSError("failed to fill whole buffer"), ValueError),
        (OSError(5, "Input/output error"), OSError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_only_what_is_wrong_with_the_file_is_said_of_it(tmp_path, monkeypatch, raised, error):
    def fail(*_):
        raise raised

    path = put(tmp_path / "a.laz", packed(scan(3, 5)))
    monkeypatch.setattr(lazrs, "LasZipDecompressor", fail)
    with pytest.raises(error) as caught:
        read_las(path)
    assert type(caught.value) is error and (error is not ValueError or str(path) in str(caught.value))


@pytest.mark.parametrize("name", ["laspy", "lazrs"])
def test_a_missing_library_is_named_in_a_line(tmp_path, monkeypatch, name):
    path = put(tmp_path / "a.laz", packed(scan(3, 5)))
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"needs {name}.*pip install 'ccnn_geo\[data\]'"):
        read_las(path)
