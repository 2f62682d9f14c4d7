"""A tiny site that says which version of it answers."""

import time
from pathlib import Path
from urllib.parse import parse_qs

# Read once, when a worker imports the code: what runs, not what lies on the disk by now.
VERSION = (Path(__file__).parent / "VERSION").read_text()


def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(int(parse_qs(environ["QUERY_STRING"])["ms"][0]) / 1000)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [VERSION.encode()]
