#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A web server on 127.0.0.1 for tests/unit/test_download.c. Usage: range_server.py FOLDER

Prints its port, then serves FOLDER until its standard input ends. /MODE/FILE answers with the file:
  good     whole, or the rest if a Range asks for it
  norange  always whole, as servers do that know no ranges
  cut      as good, but breaks the connection off after 40,000 bytes
  slow     as good, a little at a time
  wrong    as good, with every byte changed
anything else is 404. Each request adds a line "MODE FILE FIRST_BYTE" to FOLDER/requests.log.
"""
import http.server
import pathlib
import sys
import threading
import time

FOLDER = pathlib.Path(sys.argv[1])
CUT = 40000


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        mode, _, name = self.path.lstrip("/").partition("/")
        asked = self.headers.get("Range", "")
        first = int(asked[len("bytes="):].split("-")[0]) if asked.startswith("bytes=") else 0
        with open(FOLDER / "requests.log", "a") as log:
            log.write(f"{mode} {name} {first}\n")
        path = FOLDER / name
        if mode not in ("good", "norange", "cut", "slow", "wrong") or "/" in name or not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        if mode == "wrong":
            data = bytes(b ^ 0xFF for b in data)
        if mode == "norange":
            first = 0
        if first >= len(data) and first > 0:
            self.send_error(416)
            return
        self.send_response(206 if first > 0 else 200)
        self.send_header("Content-Length", str(len(data) - first))
        if first > 0:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.send(mode, data[first:])

    def send(self, mode, data):
        try:
            if mode == "cut" and len(data) > CUT:
                self.wfile.write(data[:CUT])
                self.close_connection = True
            elif mode == "slow":
                for at in range(0, len(data), 5000):
                    self.wfile.write(data[at:at + 5000])
                    self.wfile.flush()
                    time.sleep(0.05)
            else:
                self.wfile.write(data)
        except OSError:
            pass  # the client went away, as some tests do


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
