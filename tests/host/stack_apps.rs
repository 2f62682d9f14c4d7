//! A minimal app of each stack of `zdd init`, and a version of it that must not go live.

/// A minimal app.
pub struct App {
    /// The stack, and the name of the site.
    pub stack: &'static str,
    /// Who runs zdd.
    pub owner: &'static str,
    /// Paths and texts; `@VERSION@` in them is the version.
    pub files: &'static [(&'static str, &'static str)],
    /// A command run once in the code.
    pub prepare: &'static str,
    /// The settings of the app, in `shared/.env`.
    pub env: &'static str,
    /// A file of the bad version, with its text; empty: without that file.
    pub bad: (&'static str, &'static str),
    /// How a release of that ends, and in which step.
    pub ends: (i32, &'static str),
}

/// What most of them have in common.
const USUAL: App = App {
    stack: "",
    owner: "deploy",
    files: &[],
    prepare: "",
    env: "",
    bad: ("", ""),
    ends: (1, "start_instance"),
};

const PYTHON_APP: &str = "
def app(environ, start_response):
    start_response('200 OK', [])
    return [b'@VERSION@']
";
/// Passes the hook `check`, and dies where it is to serve: a name of its environment says so.
const UNDER_SYSTEMD: &str = "
import os
assert 'INVOCATION_ID' not in os.environ
app = print
";
const UNDER_SUPERVISOR: &str = "
import os
assert 'SUPERVISOR_ENABLED' not in os.environ
app = print
";

pub const FLASK: App = App {
    stack: "flask",
    files: &[("app.py", PYTHON_APP), ("requirements.txt", "gunicorn\n")],
    bad: ("app.py", UNDER_SYSTEMD),
    ..USUAL
};

pub const DJANGO: App = App {
    stack: "django",
    files: &[
        ("requirements.txt", "django\ngunicorn\n"),
        (
            "manage.py",
            "
import os
from django.core.management import execute_from_command_line
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')
import sys
execute_from_command_line(sys.argv)
",
        ),
        ("mysite/__init__.py", ""),
        (
            "mysite/settings.py",
            "
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ['SECRET_KEY']
DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.environ['DB']}}
INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.staticfiles']
ROOT_URLCONF = 'mysite.urls'
ALLOWED_HOSTS = ['django.example.com', 'localhost']
STATIC_URL = '/static/'
STATIC_ROOT = BASE_DIR / 'static_root'
STATICFILES_DIRS = [BASE_DIR / 'assets']
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
",
        ),
        ("assets/site.css", "/* @VERSION@ */"),
        (
            "mysite/urls.py",
            "
from django.contrib.contenttypes.models import ContentType
from django.http import HttpResponse
from django.urls import path

def home(request):
    ContentType.objects.count()
    return HttpResponse('@VERSION@')

urlpatterns = [path('', home)]
",
        ),
        (
            "mysite/wsgi.py",
            "
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')
application = get_wsgi_application()
",
        ),
    ],
    env: "SECRET_KEY=not-very-secret\nDB=/var/www/django/shared/db.sqlite3\n",
    bad: ("mysite/urls.py", "import not_there"),
    ends: (1, "hook_check"),
    ..USUAL
};

pub const SUPERVISOR: App = App {
    stack: "supervisor",
    owner: "root",
    files: &[
        (
            "app.py",
            "
import os

def app(environ, start_response):
    start_response('200 OK', [])
    return [b'@VERSION@', os.environ['GREETING'].encode()]
",
        ),
        ("requirements.txt", "gunicorn\n"),
    ],
    env: "GREETING=' and well'\n",
    bad: ("app.py", UNDER_SUPERVISOR),
    ..USUAL
};

pub const STATIC: App = App {
    stack: "static",
    files: &[("public/index.html", "@VERSION@")],
    bad: ("public/index.html", ""),
    ends: (1, "hook_build"),
    ..USUAL
};

pub const PHP: App = App {
    stack: "php",
    files: &[
        ("public/index.php", "<?php require '../src/page.php';"),
        (
            "src/page.php",
            "<?php echo '@VERSION@ ', basename(dirname($_SERVER['DOCUMENT_ROOT'])) == basename(dirname(__DIR__));",
        ),
    ],
    bad: ("src/page.php", "<?php not_there();"),
    ends: (3, "verify"),
    ..USUAL
};

pub const NODE: App = App {
    stack: "node",
    files: &[
        (
            "server.js",
            "
const server = require('http').createServer((request, response) => response.end('@VERSION@'));
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
",
        ),
        (
            "package.json",
            r#"{"name": "node", "version": "1.0.0", "private": true}"#,
        ),
    ],
    prepare: "npm install --package-lock-only",
    bad: ("server.js", "require('not-there')"),
    ..USUAL
};

pub const RAILS: App = App {
    stack: "rails",
    files: &[
        (
            "config.ru",
            "run ->(env) { [200, {'Content-Type' => 'text/plain'}, ['@VERSION@']] }\n",
        ),
        ("Gemfile", "source 'https://rubygems.org'\ngem 'puma'\n"),
    ],
    // The gems are Debian's.
    prepare: "bundle lock --local; bundle config set --local path.system true",
    bad: ("config.ru", "raise 'no'\n"),
    ..USUAL
};

pub const ZDDEPLOY: App = App {
    stack: "zddeploy",
    files: &[
        ("start", "#!/bin/sh\nexec python3 -u server.py\n"),
        (
            "server.py",
            "
import http.server, os, signal, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'@VERSION@' + os.environ['GREETING'].encode())

server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
stop = lambda *_: threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, stop)
open('port', 'w').write(str(server.server_port))
server.serve_forever()
",
        ),
    ],
    prepare: "chmod 755 start",
    env: "GREETING=hello\n",
    bad: ("server.py", "import not_there"),
    ..USUAL
};
