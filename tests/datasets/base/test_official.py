"""Where published files are looked for, and what is said where they are not."""

import hashlib
import io
import random
import tarfile

import pytest

from ccnn_geo.datasets.base.info import DataFile, DatasetInfo
from ccnn_geo.datasets.base.official import official_files


def make_info(*files: DataFile) -> DatasetInfo:
    return DatasetInfo("toy", "toy", "image", 1, (1,), 1, folder="toy", files=files)


def tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


NOISE = random.Random(0).randbytes(2**15)  # does not shrink
ARCHIVE = tar({"in/a.bin": b"a", "in/noise.bin": NOISE, "in/b.bin": b"b", "other/c.bin": b"c"})
PACKED = make_info(DataFile("http://127.0.0.1:9/toy.tar.gz", "toy.tar.gz", "sha256:" + "0" * 64, 1))
PLAIN = make_info(
    *(DataFile(f"http://127.0.0.1:9/{n}", n, "sha256:" + "0" * 64, 1) for n in ("x.gz", "y.gz", "z.gz"))
)


@pytest.mark.parametrize("folder", ["toy", "."])
def test_unpacked_files_in_either_place(tmp_path, folder):
    for name in ("in/a.bin", "in/b.bin"):
        (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text(name)
    found = official_files(tmp_path, PACKED, ["in/b.bin", "in/a.bin"], download=False)
    assert [p.read_text() for p in found] == ["in/b.bin", "in/a.bin"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "toy" if folder == "toy" else "in"
    ]  # nothing written


@pytest.mark.parametrize("folder", ["toy", "."])
def test_archives_in_either_place(tmp_path, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "toy.tar.gz").write_bytes(ARCHIVE)
    with pytest.raises(ValueError, match=f"expected {'0' * 64}"):
        official_files(tmp_path, PACKED, ["in/a.bin"], download=False)
    assert not (tmp_path / "toy/in").exists()
    digest = "sha256:" + hashlib.sha256(ARCHIVE).hexdigest()
    (found,) = official_files(tmp_path, PACKED, ["in/a.bin"], download=False, checksum=digest)
    assert found == tmp_path / "toy/in/a.bin" and found.read_bytes() == b"a"
    (tmp_path / folder / "toy.tar.gz").unlink()
    assert official_files(tmp_path, PACKED, ["in/b.bin"], download=False)[0].read_bytes() == b"b"


def test_plain_files_gzipped_or_not(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/x").write_text("plain")
    (tmp_path / "toy/y.gz").write_text("gzipped")
    found = official_files(tmp_path, PLAIN, ["x.gz", "y.gz"], download=False)
    assert [p.name for p in found] == ["x", "y.gz"]
    with pytest.raises(
        FileNotFoundError,
        match=r"no z\.gz in .*toy; place the published files there .*9/z\.gz\), or use download=True",
    ):
        official_files(tmp_path, PLAIN, ["y.gz", "z.gz"], download=False)


def test_only_what_is_missing_is_fetched(tmp_path, serve, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = serve(b"content")
    digest = hashlib.md5(b"content").hexdigest()
    info = make_info(*(DataFile(server.url, n, f"md5:{digest}", 7) for n in ("x.gz", "y.gz", "z.gz")))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/x").write_text("placed")
    x, y = official_files(tmp_path, info, ["x.gz", "y.gz"])
    assert (x.read_text(), y.read_text()) == ("placed", "content") and len(server.ranges) == 1
    assert not (tmp_path / "toy/z.gz").exists()
    official_files(tmp_path, info, ["x.gz", "y.gz"])
    assert len(server.ranges) == 1
    wrong = make_info(DataFile(server.url, "w.gz", "md5:" + "0" * 32, 7))
    with pytest.raises(ValueError, match="hash"):
        official_files(tmp_path, wrong, ["w.gz"])
    assert not (tmp_path / "toy/w.gz").exists()


def test_from_the_network_to_files(tmp_path, serve, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = serve(ARCHIVE, breaks=[2**14])
    info = make_info(DataFile(server.url, "toy.tar.gz", "sha256:" + hashlib.sha256(ARCHIVE).hexdigest(), 1))
    assert [p.read_bytes() for p in official_files(tmp_path, info, ["in/a.bin", "in/b.bin"])] == [b"a", b"b"]
    assert server.ranges == [None, "bytes=16384-"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ARCHIVE[: 2**14], "damaged archive"),
        (b"<html>not here</html>", "neither a zip nor a tar"),
        (tar({"elsewhere/a.bin": b"a"}), r"holds \['elsewhere'\], expected a folder 'in'"),
        (tar({"in/b.bin": b"b"}), r"no in/a\.bin"),
        (tar({"../in/a.bin": b"b"}), "outside"),
    ],
)
def test_archives_of_strangers(tmp_path, content, words):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/toy.tar.gz").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        official_files(tmp_path, PACKED, ["in/a.bin"], download=False, checksum=None)
    assert {p.name for p in (tmp_path / "toy").iterdir()} <= {"toy.tar.gz", "in"}


def test_refusals(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no toy\.tar\.gz in .*toy; place the published files there"):
        official_files(tmp_path, PACKED, ["in/a.bin"], download=False)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConnectionError, match=r"place it at .*toy/toy\.tar\.gz"):
        official_files(tmp_path, PACKED, ["in/a.bin"])
    with pytest.raises(ValueError, match="checksum must be 'published' or None for 3 files, got 'md5:0'"):
        official_files(tmp_path, PLAIN, ["x.gz"], checksum="md5:0")
    (tmp_path / "toy/in").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"no in/a\.bin; remove the folder"):
        official_files(tmp_path, PACKED, ["in/a.bin"])
