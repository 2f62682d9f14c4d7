"""A guest book: notes in a database, and a report about them that takes long."""

import json
import os
import time
from pathlib import Path

from flask import Flask, request, send_from_directory
from sqlalchemy import create_engine, text

# Both are read once, when a worker imports the code: they tell what runs, not what lies on the
# disk by now.
HERE = Path(__file__).resolve().parent
VERSION = (HERE / "VERSION").read_text().strip()

# app.js -> app.1a2b3c4d.js, when the assets were built.
MANIFEST = HERE / "static" / "manifest.json"
ASSETS = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
engine = create_engine(os.environ["DATABASE_URL"])


@app.after_request
def name_the_release(response):
    response.headers["X-Release"] = HERE.name
    return response


@app.get("/")
def home():
    return f'<!doctype html>{VERSION}<script src="/static/{ASSETS.get("app.js", "app.js")}"></script>\n'


@app.get("/health")
def health():
    return f"ok {VERSION}, {count()} notes\n"


@app.get("/slow")
def slow():
    time.sleep(int(request.args.get("ms", "300")) / 1000)
    return home()


@app.post("/notes")
def add_note():
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO notes (words) VALUES (:words)"), {"words": request.form["words"]})
    return f"{VERSION}\n"


@app.post("/reports/<name>")
def order_report(name):
    from tasks import report

    report.delay(name, float(request.form.get("seconds", "0")))
    return f"{VERSION}\n", 202


@app.get("/uploads/<path:name>")
def upload(name):
    return send_from_directory(HERE / "uploads", name)


def count():
    with engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM notes")).scalar_one()
