"""A Hugging Face hub on this machine: what ``huggingface_hub`` asks of one for models, kept in memory."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


class LocalHub:
    """Repositories by name, each with revisions; ``with LocalHub() as hub`` serves them at ``hub.url``.

    Args:
        token: What uploads need.
    """

    def __init__(self, token: str = "secret") -> None:
        self.repos: dict[str, dict[str, Files]] = {}
        self.token, self.asked = token, []
        handler = type("Handler", (Requests,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "LocalHub":
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def find(self, name: str, revision: str) -> tuple[str, Files] | None:
        """The commit that a branch, a tag or a commit stands for, and its files."""
        for known, files in self.repos[name].items():
            if revision in (known, commit_of(files)):
                return commit_of(files), files
        return None


def commit_of(files: Files) -> str:
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


def blob_of(data: bytes) -> str:
    """As git names it."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Requests(BaseHTTPRequestHandler):
    hub: LocalHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        self.hub.asked.append(f"{self.command} /{'/'.join(path)}")
        if path[:2] == ["api", "models"] and len(path) >= 4:
            name, rest = "/".join(path[2:4]), path[4:]
            if found := self._found(name, rest[1] if len(rest) > 1 else "main"):
                self._answer(200, self._listing(name, *found, tree=rest[:1] == ["tree"]))
        elif path[2:3] == ["resolve"]:
            self._file("/".join(path[:2]), path[3], "/".join(path[4:]))
        else:
            self._answer(404, {"error": "Sorry, we can't find the page you are looking for."})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        self.hub.asked.append(f"POST /{'/'.join(path)}")
        if self.headers.get("authorization") != f"Bearer {self.hub.token}":
            self._answer(401, {"error": "Invalid username or password."})
            return
        name, action = "/".join(path[2:4]), path[4:]
        repos = self.hub.repos
        if path == ["api", "repos", "create"]:
            given = json.loads(body)
            name = f"{given.get('organization') or 'someone'}/{given['name']}"
            url = {"url": f"{self.hub.url}/{name}", "name": name, "id": name}
            self._answer(409 if name in repos else 200, url)
            repos.setdefault(name, {"main": {}})
        elif action[:1] == ["branch"]:
            repos[name].setdefault(action[1], dict(repos[name]["main"]))
            self._answer(200, {})
        elif action[:1] == ["preupload"]:
            asked = [file["path"] for file in json.loads(body)["files"]]
            self._answer(
                200,
                {"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in asked]},
            )
        elif path == ["api", "validate-yaml"]:
            self._answer(200, {"errors": [], "warnings": []})
        else:
            self._commit(name, action[1], [json.loads(line) for line in body.splitlines()])

    def _commit(self, name: str, revision: str, lines: list[dict]) -> None:
        files = dict(self.hub.repos[name][revision])
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        self.hub.repos[name][revision] = files
        commit = commit_of(files)
        url = f"{self.hub.url}/{name}/commit/{commit}"
        self._answer(200, {"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})

    def _found(self, name: str, revision: str) -> tuple[str, Files] | None:
        if name not in self.hub.repos:
            self._answer(404, {"error": "Repository not found"}, "RepoNotFound")
            return None
        found = self.hub.find(name, revision)
        if found is None:
            self._answer(404, {"error": f"Invalid rev id: {revision}"}, "RevisionNotFound")
        return found

    def _listing(self, name: str, commit: str, files: Files, tree: bool) -> object:
        if tree:
            return [
                {"type": "file", "path": p, "size": len(data), "oid": blob_of(data)}
                for p, data in files.items()
            ]
        return {"id": name, "modelId": name, "sha": commit, "siblings": [{"rfilename": p} for p in files]}

    def _file(self, name: str, revision: str, path: str) -> None:
        found = self._found(name, revision)
        if found is None:
            return
        commit, files = found
        if path not in files:
            self._answer(404, {"error": "Entry not found"}, "EntryNotFound", commit)
            return
        self._send(200, files[path], {"ETag": f'"{blob_of(files[path])}"', "X-Repo-Commit": commit})

    def _answer(self, code: int, said: object, error: str | None = None, commit: str | None = None) -> None:
        headers = {"Content-Type": "application/json"}
        headers |= {} if error is None else {"X-Error-Code": error, "X-Error-Message": said["error"]}
        headers |= {} if commit is None else {"X-Repo-Commit": commit}
        self._send(code, json.dumps(said).encode(), headers)

    def _send(self, code: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass
