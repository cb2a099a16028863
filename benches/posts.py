#!/usr/bin/env python3
"""200 posts to a site with rate limits: how long they take beside the least that the limits allow.

posts.py DAMCTL DIR: makes an archive of pictures in DIR, plays a WordPress site, publishes, and prints a line of the table.
"""

import json
import os
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

POSTS, BURST, RATE = 200, 20, 20.0

kept, times, lock = {}, [], threading.Lock()


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def tell(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urlparse(self.path)
        if url.path.endswith("/users/me"):
            return self.tell(200, {"name": "E", "capabilities": {"upload_files": True}})
        slug = parse_qs(url.query)["slug"][0]
        with lock:
            found = kept.get(slug)
        self.tell(200, [{"id": found, "source_url": "https://x/y"}] if found else [])

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        slug = parse_qs(urlparse(self.path).query)["slug"][0]
        with lock:
            assert slug not in kept, "posted twice"
            kept[slug] = len(kept) + 1
            times.append(time.monotonic())
            number = kept[slug]
        self.tell(201, {"id": number, "source_url": "https://x/y"})


def picture(path, seed):
    row = lambda y: b"\0" + b"".join(bytes(((x * 3) % 256, (y * 5) % 256, seed % 256)) for x in range(64))
    rows = b"".join(row(y) for y in range(48))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    text = b"Comment\0" + str(seed).encode()
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0))
                   + chunk(b"tEXt", text) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def main():
    damctl, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    archive, drive = os.path.join(folder, "archive"), os.path.join(folder, "drive")
    os.makedirs(drive)
    for seed in range(POSTS):
        picture(os.path.join(drive, f"p{seed:03}.png"), seed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    def run(*words):
        environment = {**os.environ, "DAMCTL_SECRET_BLOG_USER": "e", "DAMCTL_SECRET_BLOG_PASSWORD": "p"}
        return subprocess.run([damctl, *words], check=True, env=environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    run("init", archive)
    run("-C", archive, "ingest", drive)
    with open(os.path.join(archive, "channels.yaml"), "w") as file:
        file.write(f"""channels:
  blog:
    to: {{ wordpress: {{ site: "http://127.0.0.1:{server.server_port}" }} }}
    send: [master]
    rates: [{{ name: posts, seconds: {{ most: {BURST}, seconds: {BURST / RATE} }} }}]
""")
    assets = [row[0] for row in sqlite3.connect(os.path.join(archive, "catalog.sqlite")).execute("SELECT id FROM assets")]
    assert len(assets) == POSTS, len(assets)
    began = time.monotonic()
    run("-C", archive, "publish", *assets, "--to", "blog")
    whole = time.monotonic() - began
    assert len(times) == POSTS, len(times)
    took, least = max(times) - min(times), (POSTS - BURST) / RATE
    print(f"| {POSTS} posts, {RATE:.0f} a second allowed | {took:.2f} s | {least:.2f} s | **{took / least:.2f}** | ≤ 1.10 | "
          f"{whole:.2f} s with planning |")


main()
