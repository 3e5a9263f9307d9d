"""Files that get a second name, and locks of folders."""

import os

import pytest

from ccnn_geo.io.files import storage


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
