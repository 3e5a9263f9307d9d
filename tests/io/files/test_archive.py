import io
import stat
import tarfile
import zipfile

import pytest

from ccnn_geo.io.files.archive import UnsafeArchiveError, extract, extract_atomic


def make_zip(path, names, link=None):
    with zipfile.ZipFile(path, "w") as handle:
        for name in names:
            handle.writestr(name, "content" if not name.endswith("/") else "")
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            handle.writestr(info, "/etc/passwd")
    return path


def make_tar(path, names, link=None, kind=tarfile.SYMTYPE):
    with tarfile.open(path, "w:gz") as handle:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 7
            handle.addfile(info, io.BytesIO(b"content"))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = kind, "/etc/passwd"
            handle.addfile(info)
    return path


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "a\\..\\..\\evil", "C:\\evil", "c:/evil", ".."],
)
def test_members_cannot_escape(tmp_path, make, name):
    archive = make(tmp_path / "a.bin", ["good/file", name])
    with pytest.raises(UnsafeArchiveError, match="outside"):
        extract(archive, tmp_path / "in" / "out")
    assert {p.name for p in tmp_path.rglob("*")} == {"a.bin"}  # not even the good member was written


@pytest.mark.parametrize(
    "kind", ["zip link", tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(tmp_path, kind):
    path = tmp_path / "a.bin"
    if kind == "zip link":
        make_zip(path, ["good"], link="link")
    else:
        make_tar(path, ["good"], link="link", kind=kind)
    with pytest.raises(UnsafeArchiveError, match="link or a device"):
        extract(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_bombs_are_refused(tmp_path, make):
    archive = make(tmp_path / "a.bin", ["one", "two", "three"])
    with pytest.raises(UnsafeArchiveError, match="more than 20 bytes"):
        extract(archive, tmp_path / "out", max_bytes=20)
    extract(archive, tmp_path / "out", max_bytes=21)
    assert (tmp_path / "out/three").read_text() == "content"


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_plain_archives(tmp_path, make):
    extract(make(tmp_path / "a.bin", ["data/a/1.off", "data/b/2.off"]), tmp_path / "out")
    files = sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()
    )
    assert files == ["data/a/1.off", "data/b/2.off"]


def test_neither_zip_nor_tar(tmp_path):
    (tmp_path / "a.zip").write_text("hello")
    with pytest.raises(ValueError, match="neither a zip nor a tar"):
        extract(tmp_path / "a.zip", tmp_path / "out")


def test_extract_atomic(tmp_path):
    archive = make_zip(tmp_path / "a.zip", ["Data/", "Data/1.off", "__MACOSX/x"])
    (tmp_path / ".target.unpacking").mkdir()
    (tmp_path / ".target.unpacking/left_by_a_killed_process").touch()
    extract_atomic(archive, "Data", tmp_path / "target")
    assert [p.name for p in (tmp_path / "target").iterdir()] == ["1.off"]
    with pytest.raises(ValueError, match="expected a folder 'Other'"):
        extract_atomic(archive, "Other", tmp_path / "other")
    assert {p.name for p in tmp_path.iterdir()} == {"a.zip", "target"}


def test_a_file_in_the_place_of_the_folder(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("data"))
    with pytest.raises(ValueError, match=r"a\.tar: 'data' is a file, expected a folder"):
        extract_atomic(tmp_path / "a.tar", "data", tmp_path / "data")
    assert not (tmp_path / "data").exists()
