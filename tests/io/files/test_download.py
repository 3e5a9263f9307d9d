import hashlib
import socket

import numpy as np
import pytest

from ccnn_geo.io.files.download import fetch

CONTENT = np.random.default_rng(0).bytes(600_000)
CHUNK = 2**14  # what is written at a time
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_broken_transfer_continues(tmp_path, serve):
    server = serve(CONTENT, breaks=[6 * CHUNK, 15 * CHUNK])
    path = fetch(server.url, tmp_path / "file.zip", DIGEST)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={6 * CHUNK}-", f"bytes={15 * CHUNK}-"]
    assert [p.name for p in tmp_path.iterdir()] == ["file.zip"]


def test_without_a_network_one_line_says_why(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(
        ConnectionError, match=r"^could not fetch http://127\.0\.0\.1:\d+/a\.zip \(.*refused\)\. Without"
    ) as info:
        fetch(f"http://127.0.0.1:{port}/a.zip", tmp_path / "a.zip")
    assert "Pool" not in str(info.value) and "object" not in str(info.value)


def test_a_later_run_continues(tmp_path, serve):
    server = serve(CONTENT, breaks=[6 * CHUNK] * 3)
    with pytest.raises(ConnectionError, match=r"place it at .*file\.zip"):
        fetch(server.url, tmp_path / "file.zip", DIGEST)
    assert not (tmp_path / "file.zip").exists() and (tmp_path / "file.zip.part").stat().st_size == 6 * CHUNK
    assert fetch(server.url, tmp_path / "file.zip", DIGEST).read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={6 * CHUNK}-"


def test_complete_and_foreign_parts(tmp_path, serve):
    server = serve(CONTENT)
    (tmp_path / "file.zip.part").write_bytes(CONTENT)
    assert fetch(server.url, tmp_path / "file.zip", DIGEST).read_bytes() == CONTENT
    (tmp_path / "other.zip.part").write_bytes(CONTENT + b"more")
    assert fetch(server.url, tmp_path / "other.zip", DIGEST).read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(tmp_path, serve):
    server = serve(CONTENT, breaks=[6 * CHUNK], serves_ranges=False)
    assert fetch(server.url, tmp_path / "file.zip", DIGEST).read_bytes() == CONTENT


def test_what_is_there_is_not_fetched(tmp_path, serve):
    server = serve(CONTENT)
    (tmp_path / "file.zip").write_bytes(CONTENT)
    fetch(server.url, tmp_path / "file.zip", DIGEST)
    fetch(server.url, tmp_path / "file.zip", None)
    assert server.ranges == []


def test_wrong_digests(tmp_path, serve):
    with pytest.raises(ValueError, match="hash"):
        fetch(serve(CONTENT + b"x").url, tmp_path / "file.zip", DIGEST)
    assert list(tmp_path.iterdir()) == []  # nothing that a second try could continue
    (tmp_path / "file.zip").write_bytes(b"other")
    with pytest.raises(ValueError, match=f"expected {DIGEST}"):
        fetch("http://unused.invalid/file.zip", tmp_path / "file.zip", DIGEST)


def test_offline_says_what_to_do(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError, match=r"could not fetch http://127.*Without a network.*file\.zip"):
        fetch(f"http://127.0.0.1:{port}/file.zip", tmp_path / "file.zip", DIGEST)
