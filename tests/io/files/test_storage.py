"""Files that get a second name, locks of folders, and what killed processes leave."""

import os

import pytest

from ccnn_geo.io.files import storage
from ccnn_geo.io.files.storage import exclusive, remove_abandoned


@pytest.mark.parametrize("links", [True, False])
def test_a_second_name_where_there_are_none_is_a_copy(tmp_path, monkeypatch, links):
    """FAT and some network file systems have one name for each file."""

    def refuse(source, target):
        raise OSError(38, "Function not implemented")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_text("new")
    target.write_text("old")
    storage.link_atomic(source, target)
    assert target.read_text() == source.read_text() == "new"
    assert target.samefile(source) == links
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_what_killed_processes_wrote_goes_unless_one_of_them_is_alive(tmp_path):
    written = [".held.npy.1.tmp", ".old.npz.2.tmp", ".old.npy.2.tmp", ".alive.npz.3.tmp", ".other.npz.4.tmp"]
    for name in [*written, ".old.npz.lock"]:
        (tmp_path / name).touch()
    with exclusive(tmp_path, "alive.npz"), exclusive(tmp_path, "held.npz"):
        remove_abandoned(tmp_path, "held.npz")
    assert {path.name for path in tmp_path.glob(".*.tmp")} == {".alive.npz.3.tmp", ".other.npz.4.tmp"}
    remove_abandoned(tmp_path, "none.npz")
    assert [path.name for path in tmp_path.glob(".*.tmp")] == [".other.npz.4.tmp"], "it has no lock"


@pytest.mark.parametrize("writable", [True, False])
def test_a_folder_that_can_only_be_read_needs_no_lock(tmp_path, monkeypatch, writable):
    def refuse(_):
        raise PermissionError(13, "Permission denied", str(tmp_path / ".data.lock"))

    monkeypatch.setattr(storage.FileLock, "acquire", refuse)
    monkeypatch.setattr(os, "access", lambda *_: writable)
    if writable:  # another user's lock, who may be at work
        with pytest.raises(PermissionError), storage.exclusive(tmp_path, "data"):
            pass
        return
    with storage.exclusive(tmp_path, "data"):
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="of the body"), storage.exclusive(tmp_path, "data"):
        raise ValueError("of the body")
