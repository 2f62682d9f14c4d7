//! The servers: their code, their template unit, and three ways in which a release can be broken.

/// A server and how a site of it is made.
pub struct Server {
    pub name: &'static str,
    /// Where a host has its code and its `myapp@.service`.
    pub dir: &'static str,
    /// The file that holds the code.
    pub code: &'static str,
    /// What is replaced in the unit, and by what.
    pub unit_edit: Option<(&'static str, &'static str)>,
    /// Whether a release needs a virtualenv.
    pub is_python: bool,
    /// Whether `/ws` echoes.
    pub has_websocket: bool,
    /// Whether it is tried behind all proxies, not just nginx.
    pub meets_every_proxy: bool,
    /// Code that breaks a release when it is added at the end, in the order of [`BREAKAGES`].
    pub breaking_code: [&'static str; 3],
}

/// How a release can be broken.
pub const BREAKAGES: [&str; 3] = [
    "cannot be imported",
    "health answers 500",
    "never becomes ready",
];

const BROKEN_PYTHON: &str = "raise ImportError('broken')";
const BROKEN_WSGI: &str = "\
good = app


def app(environ, start_response):
    if environ['PATH_INFO'] != '/health':
        return good(environ, start_response)
    start_response('500 Broken', [('Content-Length', '0')])
    return []";
const STUCK_PYTHON: &str = "time.sleep(3600)";

const GUNICORN: Server = Server {
    name: "gunicorn-gthread",
    dir: "/opt/examples/instance",
    code: "app.py",
    unit_edit: None,
    is_python: true,
    has_websocket: false,
    meets_every_proxy: true,
    breaking_code: [BROKEN_PYTHON, BROKEN_WSGI, STUCK_PYTHON],
};

impl Server {
    /// All of them.
    pub const ALL: &[Server] = &[
        Server {
            name: "gunicorn-sync",
            unit_edit: Some((
                "--worker-class gthread --workers 2 --threads 8",
                "--workers 5",
            )),
            meets_every_proxy: false,
            ..GUNICORN
        },
        GUNICORN,
        Server {
            name: "uvicorn",
            dir: "/opt/apps/uvicorn",
            has_websocket: true,
            meets_every_proxy: false,
            breaking_code: [
                BROKEN_PYTHON,
                "HEALTHY = False",
                "import time\ntime.sleep(3600)",
            ],
            ..GUNICORN
        },
        Server {
            name: "node",
            dir: "/opt/apps/node",
            code: "server.js",
            is_python: false,
            meets_every_proxy: false,
            breaking_code: [
                "throw new Error('broken');",
                "healthy = false;",
                "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
            ],
            ..GUNICORN
        },
        Server {
            name: "puma",
            dir: "/opt/apps/puma",
            code: "config.ru",
            is_python: false,
            meets_every_proxy: false,
            breaking_code: [
                "raise LoadError, 'broken'",
                "map('/health') { run(->(_) { [500, {}, []] }) }",
                "sleep 3600",
            ],
            ..GUNICORN
        },
    ];

    /// The one of the example.
    pub fn of_the_example() -> &'static Server {
        let is_it = |server: &&Server| server.meets_every_proxy;
        Server::ALL.iter().find(is_it).expect("there is one")
    }
}
