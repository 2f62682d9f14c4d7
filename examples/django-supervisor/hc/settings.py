from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SHARED = BASE_DIR.parent.parent / "shared"

VERSION = (BASE_DIR / "VERSION").read_text().strip()
SECRET_KEY = (BASE_DIR / "secret_key").read_text().strip()
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = ["django.contrib.sessions", "django.contrib.staticfiles", "hc"]
MIDDLEWARE = ["hc.views.name_release", "django.contrib.sessions.middleware.SessionMiddleware"]
ROOT_URLCONF = "hc.urls"
WSGI_APPLICATION = "hc.wsgi.application"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": SHARED / "db" / "hc.sqlite3",
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
