import os
import sys
from pathlib import Path

# The tests have a database of their own: they run on the server, before each release.
os.environ["DATABASE_URL"] = "sqlite://"
os.environ.setdefault("SECRET_KEY", "of the tests")
os.environ.setdefault("QUEUE_DIR", "/nowhere")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
