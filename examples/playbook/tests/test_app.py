import pytest
from sqlalchemy import text

import tasks
from app import VERSION, app, count, engine


@pytest.fixture(autouse=True)
def notes():
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, words TEXT)"))


def test_pages():
    client = app.test_client()
    for path in ["/", "/health", "/slow?ms=0"]:
        assert VERSION in client.get(path).text


def test_a_note_is_kept():
    before = count()
    assert app.test_client().post("/notes", data={"words": "hello"}).status_code == 200
    assert count() == before + 1


def test_a_report_says_how_many(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "HERE", tmp_path)
    (tmp_path / "uploads").mkdir()
    tasks.report("today", 0)
    assert (tmp_path / "uploads" / "today.txt").read_text().startswith(f"{count()} notes")
