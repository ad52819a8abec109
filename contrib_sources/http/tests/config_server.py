"""Serves the files of a folder, well or in one of many bad ways.

`/<way>/<file>`: `plain` is as a good server does it; the other ways are methods below.
Each request is a line in the file `requests`: what was asked, and what was answered.
"""

from __future__ import annotations

import collections
import contextlib
import gzip
import hashlib
import http.server
import json
import pathlib
import socket
import socketserver
import ssl
import sys
import threading
import time

FOLDER = pathlib.Path.cwd()
CHANGED = threading.Condition()
TOLD: dict[str, list] = collections.defaultdict(list)  # the streams of each path


def tag_of(data):
    """Return the strong ETag of a text; tests write no text twice where that counts."""
    return f'"{hashlib.sha256(data).hexdigest()[:20]}"'


def document(data):
    """Return the event that stands for a read; what it cannot say is a bare hint."""
    if not data or b"\r" in data:
        return b"event: changed\ndata: look\n\n"
    lines = b"".join(b"data: " + line + b"\n" for line in data.split(b"\n"))
    return b"event: document\nid: " + tag_of(data).encode() + b"\n" + lines + b"\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def do_GET(self):
        _, way, *rest = self.path.partition("?")[0].split("/")
        self.file = FOLDER / "served" / (rest[0] if rest else "")
        getattr(self, f"way_{way}", self.way_plain)()

    def do_PUT(self):
        """Take a text, and tell the streams at once."""
        file = FOLDER / "served" / self.path.rpartition("/")[2]
        new = file.with_suffix(".new")
        new.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        new.rename(file)
        with CHANGED:
            CHANGED.notify_all()
        self.answer(200)

    def do_POST(self):
        """Send what is posted to every stream of `told`; end them if it is nothing."""
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        for stream in TOLD.pop(self.path, ()) if not sent else TOLD[self.path]:
            with contextlib.suppress(OSError):  # it was left
                stream.wfile.write(sent)
                if not sent:
                    stream.connection.shutdown(socket.SHUT_RDWR)
        self.answer(200)

    def answer(self, status, data=b"", **headers):
        self.log(status, len(data))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 304 and "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log(self, status, sent):
        record = {"path": self.path, "status": status, "sent": sent}
        line = json.dumps({**record, "headers": dict(self.headers)})
        with (FOLDER / "requests").open("a") as log:
            log.write(line + "\n")

    def log_message(self, *_):
        pass

    def data(self):
        try:
            return self.file.read_bytes()
        except FileNotFoundError:
            return None

    # -- the ways ----------------------------------------------------------------

    def way_plain(self, *, weak=False, tagged=True, **headers):
        data = self.data()
        if data is None:
            self.answer(404)
            return
        etag = ("W/" if weak else "") + tag_of(data)
        tags = {"ETag": etag} if tagged else {}
        if tagged and self.headers.get("If-None-Match") == etag:
            self.answer(304, **tags)
        else:
            self.answer(200, data, **tags, **headers)

    def way_weak(self):
        """Give one weak ETag for everything, and trust it."""
        if self.headers.get("If-None-Match"):
            self.answer(304)
        else:
            self.answer(200, self.data(), ETag='W/"same"', Last_Modified="today")

    def way_young(self):
        """Make the ETag as nginx does, of a whole second and the length."""
        data, now = self.data(), self.date_time_string()
        etag = f'"{now}-{len(data)}"'.replace(" ", "")
        if self.headers.get("If-None-Match"):
            self.answer(304)
        else:
            self.answer(200, data, ETag=etag, Last_Modified=now)

    def way_old(self):
        """Say that the text was written long ago."""
        self.way_plain(Last_Modified="Thu, 01 Jan 2015 00:00:00 GMT")

    def way_lying(self):
        """Give every text one ETag, and never answer 304."""
        self.answer(200, self.data(), ETag='"same"')

    def way_foreign(self):
        """Give an ETag that no client can send back as text."""
        self.answer(200, self.data(), ETag='"\xe9"')

    def way_untagged(self):
        self.way_plain(tagged=False)

    def way_gone(self):
        self.answer(410)

    def way_json(self):
        self.way_plain(Content_Type="application/json; charset=utf-8")

    def way_page(self):
        self.way_plain(Content_Type="text/html")

    def way_redirect(self):
        self.answer(
            302, Location=f"http://{self.headers['Host']}/plain/{self.file.name}"
        )

    def way_busy(self):
        self.answer(503)

    def way_unasked(self):
        self.answer(304)

    def way_private(self):
        auth = self.headers.get("Authorization", "")
        allowed = (FOLDER / "allowed").read_text().splitlines()
        if auth in allowed:
            self.way_plain()
        else:
            self.answer(401)

    def way_endless(self):
        """Send without end, in chunks."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            self.wfile.write(b"10000\r\n" + b"#" * 0x10000 + b"\r\n")

    def way_bomb(self):
        """Send 1 GiB of zeros, compressed twice."""
        inner = gzip.compress(b"\0" * (1 << 24)) * 64
        self.answer(200, gzip.compress(inner), Content_Encoding="gzip, gzip")

    def way_packed(self):
        data = gzip.compress(self.data())
        self.answer(200, data, Content_Encoding="gzip", ETag='"packed"')

    def way_torn(self):
        """Promise more than is sent."""
        data = self.data()
        self.answer(200, data[:-10], Content_Length=str(len(data)))
        self.close_connection = True

    def way_unframed(self):
        """Let the end of the connection be the end of the text."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.data()[:-10])
        self.close_connection = True

    def way_hung(self):
        self.log(0, 0)
        time.sleep(60)

    def way_trickle(self):
        """Send a header a byte at a time, each long before any timeout."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            self.wfile.write(b"x")
            time.sleep(0.05)

    def way_drip(self):
        """Send a text a byte at a time."""
        self.answer(200, Content_Length="1000")
        while True:
            self.wfile.write(b"#")
            time.sleep(0.05)

    def way_bare(self):
        """Send two events, and never say how many there will be."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: one\n\ndata: two\n\n")
        time.sleep(60)

    def way_events(self, written=lambda _: b"event: changed\ndata: look\n\n"):
        """Send an event whenever the file is another one."""
        known = self.data()  # before the client may think that it is told of changes
        self.answer(200, Content_Type="text/event-stream", Content_Length="9999999999")
        while True:
            with CHANGED:
                CHANGED.wait(0.005)
            if known != (known := self.data()):
                self.wfile.write(written(known))
            elif not int(time.monotonic() * 200) % 20:
                self.wfile.write(b": still here\n\n")

    def way_documents(self):
        """Send the whole text with its ETag, as the README of midflight-http says."""
        self.way_events(document)

    def way_told(self):
        """Send what is posted, and nothing else."""
        TOLD[self.path].append(self)  # before the client may think that it is told
        self.answer(200, Content_Type="text/event-stream", Content_Length="9999999999")
        time.sleep(60)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, *_):
        pass


def main(port, *certificate):
    """Serve at a port of 127.0.0.1, by TLS if there is a certificate."""
    server = Server(("127.0.0.1", int(port)), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
