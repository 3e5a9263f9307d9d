"""Real data where there is any, and shapes made on the spot."""

import functools
import http.server
import pickle
import runpy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"

CUBE = "OFF{glue}8 6 0\n{vertices}\n4 0 3 2 1\n4 4 5 6 7\n4 0 1 5 4\n4 1 2 6 5\n4 2 3 7 6\n4 3 0 4 7\n"


@pytest.fixture
def shared():
    """A file or folder of the shared data, by name; the test is skipped where there is none."""

    def find(name: str) -> Path:
        if not (SHARED / name).exists():
            pytest.skip(f"no shared data at {SHARED / name}")
        return SHARED / name

    return find


@pytest.fixture(scope="session")
def spoken_digits(tmp_path_factory):
    """3,000 spoken digits in the layout of Speech Commands, unpacked once; not to be written into."""
    if not (SHARED / "fsdd.npz").exists():
        pytest.skip(f"no shared data at {SHARED / 'fsdd.npz'}")
    root = tmp_path_factory.mktemp("fsdd")
    runpy.run_path(str(SHARED / "unpack.py"))["fsdd"](root)
    return root


@pytest.fixture
def sent(monkeypatch) -> Callable[[ModuleType], list[int]]:
    """Work that a module gives to other processes is pickled as for them and done here, in seconds less each.

    Called with the module; the numbers of processes that it asks for from then on.
    """
    asked = []

    @contextmanager
    def mapper(num: int) -> Iterator[Callable]:
        def call(*row):
            return pickle.loads(pickle.dumps(row[0](*row[1:])))

        asked.append(num)
        yield lambda function, *columns: map(
            call, [pickle.loads(pickle.dumps(function))] * len(columns[0]), *columns
        )

    def here(module: ModuleType) -> list[int]:
        monkeypatch.setattr(module, "mapper", mapper)
        return asked

    return here


@pytest.fixture
def write_box():
    """Writes a box with the given edge lengths as OFF."""

    def write(path: Path, extent=(1.0, 1.0, 1.0), glue: str = "\n") -> Path:
        corners = np.array(
            [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]
        )
        rows = "\n".join(" ".join(map(str, v)) for v in corners * extent)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CUBE.format(glue=glue, vertices=rows))
        return path

    return write


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, content = self.server, self.server.content
        server.ranges.append(self.headers.get("Range"))
        start = int(self.headers["Range"][6:-1]) if self.headers.get("Range") and server.serves_ranges else 0
        if start >= len(content) > 0 and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = server.breaks.pop(0) if server.breaks else len(content)
        self.wfile.write(content[start:stop])

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    """A web server for one file: ``server = serve(content)``; ``server.breaks`` lists where transfers break."""
    servers = []

    def start(content: bytes, breaks=(), serves_ranges: bool = True):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.content, server.breaks, server.serves_ranges, server.ranges = (
            content,
            list(breaks),
            serves_ranges,
            [],
        )
        server.url = f"http://127.0.0.1:{server.server_port}/file.zip"
        thread = threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.05))
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()
