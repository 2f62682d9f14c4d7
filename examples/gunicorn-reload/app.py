"""A tiny site that says which release of it answers."""

import time
from pathlib import Path

from flask import Flask, request

# Both are read once, when a worker imports the code: they tell what runs, not what lies on the
# disk by now.
HERE = Path(__file__).resolve().parent
VERSION = (HERE / "VERSION").read_text().strip()

app = Flask(__name__)


@app.after_request
def name_the_release(response):
    response.headers["X-Release"] = HERE.name
    return response


@app.get("/")
def home():
    return f"{VERSION}\n"


@app.get("/health")
def health():
    return f"ok {VERSION}\n"


@app.get("/slow")
def slow():
    time.sleep(int(request.args.get("ms", "300")) / 1000)
    return f"{VERSION}\n"
