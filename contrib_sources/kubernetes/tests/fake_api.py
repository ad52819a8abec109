"""A fake of the Kubernetes API: two kinds, list, watch, bookmarks, 410, and a token.

It is no Kubernetes. It does what the API's reference says of these few requests, and
lasts over a kill: its objects are in a file. `python fake_api.py PORT FOLDER TOKEN`.
"""

from __future__ import annotations

import http.server
import json
import pathlib
import sys
import threading
import time
import urllib.parse
import uuid

PORT, FOLDER, TOKEN = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
FILE = FOLDER / "objects.json"
KINDS = {"configmaps": "ConfigMap", "secrets": "Secret"}
BOOKMARK = 0.2  # s between two
PIECE = 61  # bytes of a chunk


class State:
    """All objects, one counter of versions, and what happened since a compaction."""

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())
        stored = json.loads(FILE.read_text()) if FILE.exists() else {}
        self.version = stored.get("version", 1000)
        self.objects = stored.get("objects", {})
        self.since, self.events = self.version, []  # a start compacts
        self.round = 0
        self.reset()

    def reset(self):
        """Count anew what was asked for."""
        self.lists = self.watches = self.bookmarks = 0
        self.is_hushed, self.hushed = False, 0.0
        self.carried = 0  # objects that were told with their data

    def put(self, path, found):
        """Store an object, or delete it."""
        with self.changed:
            self.version += 1
            old = self.objects.pop(path, None)
            kind = "DELETED" if found is None else "MODIFIED" if old else "ADDED"
            metadata = dict((old or {}).get("metadata", {"uid": str(uuid.uuid4())}))
            metadata |= {"name": path.rsplit("/", 1)[1]}
            metadata |= (found or {}).get("metadata", {})
            metadata |= {"resourceVersion": str(self.version)}
            whole = {**((old or {}) if found is None else found), "metadata": metadata}
            if found is not None:
                self.objects[path] = whole
            self.events.append((self.version, path, kind, whole))
            new = FILE.with_suffix(".new")
            new.write_text(
                json.dumps({"version": self.version, "objects": self.objects})
            )
            new.replace(FILE)
            self.changed.notify_all()

    def compact(self):
        """Forget what happened so far."""
        with self.changed:
            self.since, self.events = self.version, []

    def cut(self):
        """End every stream."""
        with self.changed:
            self.round += 1
            self.changed.notify_all()

    def cut_and_compact(self):
        """Do both at once, a version ahead of every client."""
        with self.changed:
            self.version += 1
            self.compact()
            self.cut()

    def hush(self):
        """Send no bookmarks from now on."""
        self.is_hushed, self.hushed = True, 0


def bare(found):
    """Return an object without its data."""
    return {"kind": "PartialObjectMetadata", "metadata": found["metadata"]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/healthz":
            return self.reply(200, {})
        if url.path == "/fake/counts":
            names = ("lists", "watches", "bookmarks", "hushed", "carried")
            return self.reply(200, {name: getattr(STATE, name) for name in names})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.fail(401, "Unauthorized")
        parts = url.path.strip("/").split("/")
        if parts[3] == "forbidden":
            message = f'{parts[4]} is forbidden: User "shop" cannot get it'
            return self.fail(403, message)
        if len(parts) == 6:
            return self.get(url.path)
        if parts[3] == "unwatched":
            return self.fail(403, f"{parts[4]} is forbidden: it cannot be watched")
        name = query["fieldSelector"].removeprefix("metadata.name=")
        if "watch" in query:
            return self.watch(f"{url.path}/{name}", query)
        with STATE.changed:
            STATE.lists += 1
            found = STATE.objects.get(f"{url.path}/{name}")
            metadata = {"resourceVersion": str(STATE.version)}
            items = [found] if found else []
        kind = f"{KINDS[parts[4]]}List"
        if "as=PartialObjectMetadataList;" in self.headers.get("Accept", ""):
            kind, items = "PartialObjectMetadataList", [bare(each) for each in items]
        STATE.carried += sum("data" in each for each in items)
        return self.reply(200, {"kind": kind, "metadata": metadata, "items": items})

    def get(self, path):
        found = STATE.objects.get(path)
        if found is None:
            kind, name = path.split("/")[-2:]
            return self.fail(404, f'{kind} "{name}" not found')
        return self.reply(200, self.seen(found))

    def seen(self, found):
        """Return as much of an object as was asked for."""
        if "as=PartialObjectMetadata;" in self.headers.get("Accept", ""):
            return bare(found)
        STATE.carried += 1
        return found

    def watch(self, path, query):
        """Stream what happens after a version, in chunks, until the time is over."""
        version, due = int(query["resourceVersion"]), time.monotonic()
        due += float(query["timeoutSeconds"])
        with STATE.changed:
            STATE.watches += 1
            round_, is_gone = STATE.round, version < STATE.since
        if is_gone and STATE.watches % 2:
            return self.fail(410, "too old resource version")  # the API does either
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        while not is_gone and time.monotonic() < due:
            with STATE.changed:
                if version == STATE.version:
                    STATE.changed.wait(BOOKMARK)
                if round_ != STATE.round:
                    break
                news = [each for each in STATE.events if each[0] > version]
                version = max(version, STATE.version)
            for _, where, kind, whole in news:
                if where == path:
                    self.chunk({"type": kind, "object": self.seen(whole)})
            if STATE.is_hushed:
                STATE.hushed += BOOKMARK
            elif not news and "allowWatchBookmarks" in query:
                STATE.bookmarks += 1
                metadata = {"resourceVersion": str(version)}
                self.chunk({"type": "BOOKMARK", "object": {"metadata": metadata}})
        if is_gone:
            status = {"kind": "Status", "code": 410, "message": "too old"}
            self.chunk({"type": "ERROR", "object": status})
        return self.wfile.write(b"0\r\n\r\n")

    def do_PUT(self):
        self.change(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_DELETE(self):
        self.change(None)

    def do_POST(self):
        getattr(STATE, self.path.rsplit("/", 1)[1])()
        self.reply(200, {})

    def change(self, found):
        STATE.put(self.path, found)
        self.reply(200, {})

    def fail(self, code, message):
        status = {"kind": "Status", "status": "Failure", "message": message}
        self.reply(code, {**status, "code": code})

    def reply(self, code, answer):
        data = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def chunk(self, event):
        data = json.dumps(event, ensure_ascii=False).encode() + b"\n"
        for at in range(0, len(data), PIECE):  # that may end inside a character
            piece = data[at : at + PIECE]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            self.wfile.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client has gone


STATE = State()

if __name__ == "__main__":
    Server(("127.0.0.1", PORT), Handler).serve_forever()
