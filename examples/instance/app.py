"""A tiny site that says which release of it answers. Plain WSGI: put your framework's app here."""

import time
from pathlib import Path
from urllib.parse import parse_qs

# Both are read once, when a worker imports the code: they tell what runs, not what lies on the
# disk by now.
HERE = Path(__file__).resolve().parent
VERSION = (HERE / "VERSION").read_text().strip()


def app(environ, start_response):
    path = environ["PATH_INFO"]
    received = sum(map(len, iter(lambda: environ["wsgi.input"].read(65536), b"")))
    if path == "/slow":
        query = parse_qs(environ["QUERY_STRING"])
        time.sleep(int(query.get("ms", ["300"])[0]) / 1000)
    text = f"ok {VERSION}\n" if path == "/health" else f"{VERSION}\n"
    start_response(
        "200 OK",
        [
            ("Content-Type", "text/plain"),
            ("Content-Length", str(len(text))),
            ("X-Release", HERE.name),
            ("X-Received", str(received)),
        ],
    )
    return [text.encode()]
