"""Official files, archives and stored arrays that lie: refused by name, with little memory."""

import gzip
import io
import lzma
import struct
import tarfile

import numpy as np
import pytest

from ccnn_geo.datasets.images.cifar import read_batch
from ccnn_geo.datasets.images.mnist import read_idx
from ccnn_geo.datasets.images.stl10 import read_images
from ccnn_geo.experiments.fuzz import fuzz_stored_seeds as seeds
from ccnn_geo.experiments.fuzz.fuzz_readers import limited_memory, limited_time
from ccnn_geo.io.files.archive import UnsafeArchiveError, extract
from ccnn_geo.io.files.mapped import MappedArray
from ccnn_geo.io.files.storage import read_arrays
from tests.hostile.lies import BILLION, npy, npz, put


@pytest.fixture(autouse=True)
def limits():
    """No test here has a reason to take memory or time, whatever a file says."""
    with limited_memory(400 * 2**20), limited_time() as clock:
        clock(10.0)
        yield


# Images ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("content", "shape", "message"),
    [
        (
            struct.pack(">4I", 0x803, 2**32 - 1, 28, 28),
            (28, 28),
            "0 bytes after the header, expected 3367254359280",
        ),
        (
            struct.pack(">4I", 0x803, 1, 28, 28) + bytes(785),
            (28, 28),
            "more bytes after the header, expected 784",
        ),
        (
            struct.pack(">4I", 0x803, 1, 28, 28) + bytes(783),
            (28, 28),
            "783 bytes after the header, expected 784",
        ),
        (struct.pack(">4I", 0x803, 1, 27, 28), (28, 28), r"holds \[1, 27, 28\], expected \['N', 28, 28\]"),
        (struct.pack(">2I", 0x801, 2**32 - 1) + b"12", (), "2 bytes after the header, expected 4294967295"),
        (b"\0\0\x08\x03\0\0", (28, 28), "begins with 00000803, expected 00000803|begins with 00000803"),
        (b"", (), "begins with , expected 00000801"),
    ],
)
def test_mnist(tmp_path, zipped, content, shape, message):
    path = put(tmp_path / ("a.gz" if zipped else "a"), gzip.compress(content) if zipped else content)
    with pytest.raises(ValueError, match=rf"{path}: .*({message})"):
        read_idx(path, shape, None)


def test_mnist_that_is_not_gzip(tmp_path):
    for content in (b"hello", gzip.compress(seeds.idx_files(zipped=False)[0])[:-9]):
        with pytest.raises(ValueError, match=r"a\.gz: damaged or cut off, expected a whole gzip file"):
            read_idx(put(tmp_path / "a.gz", content), (28, 28), None)


def test_cifar_and_stl10(tmp_path):
    path = put(tmp_path / "a.bin", seeds.cifar_files()[0][:-1])
    with pytest.raises(ValueError, match=r"a\.bin: 6145 bytes, expected N images of 3073"):
        read_batch(path, 1, 10, None)
    with pytest.raises(ValueError, match=r"a\.bin: 0 bytes, expected 10000 images of 3073"):
        read_batch(put(path, b""), 1, 10, 10_000)
    with pytest.raises(ValueError, match=r"a\.bin: label 11 of image 0, expected 0 to 9"):
        read_batch(put(path, b"\x0b" + bytes(3072)), 1, 10, None)
    images = put(tmp_path / "X.bin", bytes(3 * 96 * 96))
    with pytest.raises(ValueError, match=r"y\.bin: labels 11 to 11, expected 1 to 10"):
        read_images(images, put(tmp_path / "y.bin", b"\x0b"), None)
    with pytest.raises(ValueError, match=r"y\.bin: 2 labels, expected 1 for X\.bin"):
        read_images(images, put(tmp_path / "y.bin", b"\1\1"), None)
    with pytest.raises(ValueError, match=r"X\.bin: 5 bytes, expected N images of 27648"):
        read_images(put(images, b"12345"), tmp_path / "y.bin", None)


# Stored arrays and archives ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            npy((BILLION, BILLION)),
            r"truncated, 0 bytes, expected 8000000000000000000 of \[1000000000, 1000000000\]",
        ),
        (npy((10**30,)), "truncated, 0 bytes, expected 8000000000000000000000000000000 of"),
        (npy((3,), body=bytes(23)), r"truncated, 23 bytes, expected 24 of \[3\] float64"),
        (npy((-1,)), r"an array \[-1\], expected lengths of 0 or more"),
        (b"\x93NUMPY\x02\x00" + b"\xff" * 4 + b"{", "starts with .*, expected the header of an .npy array"),
        (b"\x93NUMPY\x03\x00" + b"\x10\0\0\0{}", r"array format \(3, 0\)"),
        (b"", "starts with b.., expected the header of an .npy array"),
    ],
)
def test_arrays_that_are_not_there(tmp_path, content, message):
    with pytest.raises(ValueError, match=rf"a\.npy: {message}"):
        MappedArray(put(tmp_path / "a.npy", content))
    with pytest.raises(ValueError, match=rf"a\.npz: .*{message}"):
        read_arrays(put(tmp_path / "a.npz", npz(x=content)), ["x"])


def test_members_that_claim_more_than_there_is(tmp_path):
    content = npz(x=npy((3,), body=bytes(24)))
    size = struct.pack("<I", len(npy((3,))) + 24)
    for claimed in (struct.pack("<I", 2**32 - 2), struct.pack("<I", 10**6)):
        with pytest.raises(ValueError, match=r"a\.npz: .*damaged"):
            read_arrays(put(tmp_path / "a.npz", content.replace(size, claimed)), ["x"])
    words = npy((1,), "<U1", b"\xff\xff\xff\x7f")
    with pytest.raises(ValueError, match="the character code 2147483647, expected at most 1114111"):
        read_arrays(put(tmp_path / "a.npz", npz(x=words)), ["x"])


def tar(size: int, kind: bytes = tarfile.REGTYPE, name: str = "a/b", body: bytes = b"") -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT) + body.ljust(-(-len(body) // 512) * 512, b"\0")


END = bytes(1024)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress], ids=["tar", "gz", "xz"])
@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (
            tar(2**62, tarfile.GNUTYPE_LONGNAME),
            ValueError,
            "a header of 46116860184273879\\d\\d bytes, expected at most",
        ),
        (tar(2**33, tarfile.XHDTYPE), ValueError, "a header of 8589934592 bytes, expected at most 1048576"),
        (tar(2**21, body=bytes(2**21)) + END, UnsafeArchiveError, "holds more than 1048576 bytes"),
        (tar(2**40) + END, ValueError, "damaged archive"),
        (
            tar(0) + tar(0).replace(b"ustar", b"xstar") + END,
            ValueError,
            "truncated or damaged behind 1 members",
        ),
        (tar(0), ValueError, "truncated or damaged behind 1 members, expected the end"),
        (tar(1000, body=b"content"), ValueError, "damaged archive|or a damaged one"),
        (
            tar(0, tarfile.GNUTYPE_SPARSE) + END,
            UnsafeArchiveError,
            "a link or a device, expected plain files",
        ),
        (tar(0, name="../b") + END, UnsafeArchiveError, "outside of the target folder"),
        (b"hello", ValueError, "neither a zip nor a tar file"),
        (b"", ValueError, "neither a zip nor a tar file"),
    ],
)
def test_tar_files_that_lie(tmp_path, pack, content, error, message):
    archive = put(tmp_path / "a.tar", pack(content))
    with pytest.raises(error, match=rf"{archive}: .*({message})"):
        extract(archive, tmp_path / "out", 2**20)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= 2**20


def test_archives_that_are_cut(tmp_path):
    for kind in ("", "gz", "bz2", "xz", "zip"):
        whole = seeds.archive_files(kind)[0]
        extract(put(tmp_path / "a", whole), tmp_path / "out")
        last = len(whole.rstrip(b"\0")) if kind == "" else len(whole)
        for size in range(0, last, 97 if kind == "" else 7):
            with pytest.raises(ValueError, match=f"^{tmp_path / 'a'}: "):
                extract(put(tmp_path / "a", whole[:size]), tmp_path / "out")


def test_members_of_more_than_a_piece(tmp_path):
    body = np.random.default_rng(0).bytes(3 * 2**20 + 5)
    for mode in ("w", "w:gz"):
        with tarfile.open(tmp_path / "a", mode) as handle:
            info = tarfile.TarInfo("x")
            info.size = len(body)
            handle.addfile(info, io.BytesIO(body))
        extract(tmp_path / "a", tmp_path / "out")
        assert (tmp_path / "out" / "x").read_bytes() == body
